"""No provider gets the address of a metadata service or of a file, wherever in a request it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from services.models import Service
from tests.fake_provider import FakeProvider

MakeService = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)

BAD = [
    "http://169.254.169.254/latest",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/x",
    " HTTP://[::ffff:a9fe:a9fe]/",
]
GOOD = "https://example.org/picture.png"
TEXT = {"type": "text", "text": "What is that?"}


def chat(*parts: Any, **more: Any) -> tuple[str, str, dict[str, Any]]:
    messages = [{"role": "user", "content": [TEXT, *parts]}]
    return "openai", "/v1/chat/completions", {"model": "first/alpha", "messages": messages, **more}


def messages(*blocks: Any) -> tuple[str, str, dict[str, Any]]:
    said = [{"role": "user", "content": [TEXT, *blocks]}]
    return "anthropic", "/v1/messages", {"model": "first/alpha", "messages": said, "max_tokens": 9}


def answered(*blocks: Any) -> tuple[str, str, dict[str, Any]]:
    return messages({"type": "tool_result", "tool_use_id": "call_1", "content": list(blocks)})


def embeddings(**more: Any) -> tuple[str, str, dict[str, Any]]:
    return "openai", "/v1/embeddings", {"model": "first/alpha", "input": "Hello", **more}


def completions(**more: Any) -> tuple[str, str, dict[str, Any]]:
    return "openai", "/v1/completions", {"model": "first/alpha", "prompt": "Hello", **more}


def task(**parameters: Any) -> tuple[str, str, dict[str, Any]]:
    return "openai", "/api/tasks/execute/", {"prompt": "Hello", "service": "first", "parameters": parameters}


PLACES: dict[str, Callable[[str], tuple[str, str, dict[str, Any]]]] = {
    "frames of a video": lambda url: chat({"type": "video", "video": [GOOD, url]}),
    "a field beside a text": lambda url: chat({**TEXT, "uuid": "1", "image_url": {"url": url}}),
    "a field beside an image": lambda url: chat({"type": "image_url", "image_url": {"url": GOOD, "video_url": url}}),
    "a part without a type": lambda url: chat({"image_url": url}),
    "a field of any name": lambda url: chat({"type": "image", "image": url}),
    "a file as an address": lambda url: chat({"type": "file", "file": {"file_data": url}}),
    "a field beside a file": lambda url: chat({"type": "file", "file": {"file_data": "YQ==", "file_url": url}}),
    "a field of a chat": lambda url: chat(images=[url]),
    "a field of a completion": lambda url: completions(multi_modal_data={"image": [url]}),
    "a field of an embedding": lambda url: embeddings(images=[{"url": url}]),
    "messages of an embedding": lambda url: embeddings(messages=chat({"type": "image", "image": url})[2]["messages"]),
    "parameters of a task": lambda url: task(images=[{"url": url}]),
    "a block that is not known": lambda url: messages({"type": "video", "source": {"type": "url", "url": url}}),
    "what a tool answered": lambda url: answered({"type": "image", "source": {"type": "url", "url": url}}),
    "a field beside the data": lambda url: messages(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=", "url": url}}
    ),
    "a search result": lambda url: messages(
        {"type": "search_result", "content": [{"type": "image", "source": {"type": "url", "url": url}}]}
    ),
    "a document in blocks": lambda url: messages(
        {"type": "document", "source": {"type": "content", "content": [{"type": "video", "video": url}]}}
    ),
}


@pytest.mark.parametrize("url", BAD)
@pytest.mark.parametrize("place", PLACES)
def test_such_an_address_is_refused(
    client: APIClient, service: MakeService, provider: FakeProvider, place: str, url: str
) -> None:
    api, path, body = PLACES[place](url)
    service("first", api=api)
    answer = client.post(path, body, format="json")
    assert answer.status_code == 400, answer.content
    assert provider.requests_to("first") == []


@pytest.mark.parametrize("place", PLACES)
def test_any_other_goes_along(client: APIClient, service: MakeService, provider: FakeProvider, place: str) -> None:
    api, path, body = PLACES[place](GOOD)
    service("first", api=api)
    answer = client.post(path, body, format="json")
    assert answer.status_code == 200, answer.content
    assert GOOD in json.dumps(provider.requests_to("first")[-1].json)


@pytest.mark.parametrize(
    "request_",
    [
        chat({"type": "note", "label": "file: report.txt", "text": "http://169.254.169.254 is a metadata service"}),
        chat(metadata={"origin": "file:///home/ada"}, prompt_cache_key="file:///home/ada"),
        messages({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "file: a b"}}),
        messages({"type": "search_result", "source": "file:///docs/a.md", "title": "A", "content": [TEXT]}),
    ],
    ids=["a text", "metadata", "a document", "a source"],
)
def test_what_is_no_address_to_be_fetched_goes_along(
    client: APIClient, service: MakeService, request_: tuple[str, str, dict[str, Any]]
) -> None:
    api, path, body = request_
    service("first", api=api)
    answer = client.post(path, body, format="json")
    assert answer.status_code == 200, answer.content
