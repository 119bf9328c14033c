"""A request on its way through Oxide to a service of another protocol, and the answer on its way back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from gateway import responses_body
from routing.models import DefaultRoute
from services.adapters.base import Connection
from services.adapters.dropped import fields as dropped_fields
from services.adapters.openai import OpenAIAdapter
from services.models import Service
from tasks.models import Attempt, Task
from tests.fake_provider import FakeProvider
from tests.sse import events

MakeService = Callable[..., Service]

PNG = "iVBORw0KGgo="
ADDRESS = f"data:image/png;base64,{PNG}"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Draw."}]},
    "/v1/messages": {"messages": [{"role": "user", "content": "Draw."}], "max_tokens": 9},
    "/v1/responses": {"input": "Draw."},
}


@pytest.fixture
def ask(client: APIClient, service: MakeService) -> Callable[..., Any]:
    """Ask the service `first`, which speaks the protocol `api`; the answer, or its events where it is a stream."""

    def asked(path: str, api: str, **body: Any) -> Any:
        service("first", api)
        answer: Any = client.post(path, {"model": "first", **BODIES[path], **body}, format="json")
        if not body.get("stream"):
            return answer
        answer.told = [data for _, data in events(b"".join(answer.streaming_content).split(b"\n")[:-1])]
        answer.opening()  # the server calls it with the first piece
        return answer

    return asked


# What is dropped


@pytest.mark.parametrize(
    ("path", "body", "dropped"),
    [
        (
            "/v1/chat/completions",
            {"temperature": 0.5, "top_p": 0.9, "seed": 7, "user": "ada", "logprobs": False},
            "top_p, seed, user",
        ),
        ("/v1/responses", {"temperature": 0.5, "top_p": 0.9, "service_tier": "flex"}, "top_p, service_tier"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_dropped_is_told_in_a_header_and_kept(
    ask: Callable[..., Any], path: str, body: dict[str, Any], dropped: str, stream: bool
) -> None:
    answer = ask(path, "anthropic", stream=stream, **body)
    assert answer.headers["x-oxide-dropped"] == dropped
    assert Attempt.objects.get().dropped == dropped.split(", ")


@pytest.mark.parametrize(
    ("host", "sent", "dropped"),
    [
        ("api.openai.com", {"user", "service_tier", "prompt_cache_key"}, set()),
        ("api.mistral.ai", {"prompt_cache_key"}, {"user", "service_tier"}),
        ("localhost", {"user", "service_tier"}, {"prompt_cache_key"}),
    ],
)
def test_what_responses_and_chat_share_is_sent_where_the_vendor_takes_it(
    host: str, sent: set[str], dropped: set[str]
) -> None:
    given = {"user": "ada", "service_tier": "flex", "prompt_cache_key": "k"}
    raw = {"model": "auto", "input": "Hi", **given}
    request = responses_body.task_request(responses_body.read(raw), raw).chat
    adapter = OpenAIAdapter(Connection("svc", f"https://{host}/v1"))
    body = adapter.body(request, stream=False)
    assert {name: body[name] for name in given if name in body} == {name: given[name] for name in sent}
    assert set(dropped_fields(request, body, adapter.SENT_AS)) == dropped


def test_the_clients_own_names_are_told(ask: Callable[..., Any]) -> None:
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    fields = {"system": system, "metadata": {"user_id": "x"}, "thinking": {"type": "enabled", "budget_tokens": 2048}}
    answer = ask("/v1/messages", "ollama", tools=[{"name": "f"}], tool_choice=choice, **fields)
    assert answer.headers["x-oxide-dropped"] == "thinking, disable_parallel_tool_use, metadata, cache_control"


def test_where_nothing_is_dropped_nothing_is_told(ask: Callable[..., Any], client: APIClient) -> None:
    answer = ask("/v1/chat/completions", "anthropic", temperature=0.5, stream_options=None, user=None)
    assert "x-oxide-dropped" not in answer.headers
    assert Attempt.objects.get().dropped is None
    (attempt,) = client.get(f"/api/tasks/{Task.objects.get().pk}/").json()["attempts"]
    assert attempt["dropped"] == []


def test_a_service_of_the_same_protocol_gets_all(ask: Callable[..., Any]) -> None:
    answer = ask("/v1/chat/completions", "openai", seed=7, user="ada", brand_new={"a": 1})
    assert "x-oxide-dropped" not in answer.headers


def test_a_refusal_names_the_field(ask: Callable[..., Any]) -> None:
    part = {"type": "video_url", "video_url": {"url": "https://example.org/v.mp4"}}
    answer = ask("/v1/chat/completions", "gemini", messages=[{"role": "user", "content": [part]}])
    assert answer.status_code == 400
    assert "messages[0].content[0]" in answer.json()["error"]["message"]


# Images in answers


def draw(provider: FakeProvider, *, stream: bool) -> None:
    parts = [{"text": "Here:"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2}
    body = json.dumps({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": usage})
    content = f"data: {body}\n\n" if stream else body
    content_type = "text/event-stream" if stream else "application/json"
    provider.misbehave("raw", body=content.encode(), content_type=content_type)


def test_images_are_told_in_each_dialect(ask: Callable[..., Any], provider: FakeProvider) -> None:
    draw(provider, stream=False)
    chat = ask("/v1/chat/completions", "gemini").json()["choices"][0]["message"]
    assert chat["content"] == "Here:"
    assert chat["images"] == [{"index": 0, "type": "image_url", "image_url": {"url": ADDRESS}}]


def test_images_are_told_in_messages(ask: Callable[..., Any], provider: FakeProvider) -> None:
    draw(provider, stream=False)
    text, image = ask("/v1/messages", "gemini").json()["content"]
    assert text["text"] == "Here:"
    assert image == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


def test_images_are_told_in_responses(ask: Callable[..., Any], provider: FakeProvider) -> None:
    draw(provider, stream=False)
    message, image = ask("/v1/responses", "gemini").json()["output"]
    assert message["content"][0]["text"] == "Here:"
    assert (image["type"], image["result"]) == ("image_generation_call", PNG)


def test_images_are_streamed_in_chat(ask: Callable[..., Any], provider: FakeProvider) -> None:
    draw(provider, stream=True)
    *chunks, _ = ask("/v1/chat/completions", "gemini", stream=True).told
    (images,) = (delta["images"] for each in chunks if "images" in (delta := each["choices"][0]["delta"]))
    assert images[0]["image_url"]["url"] == ADDRESS


def test_images_are_streamed_in_messages(ask: Callable[..., Any], provider: FakeProvider) -> None:
    draw(provider, stream=True)
    told = ask("/v1/messages", "gemini", stream=True).told
    begun = [each["content_block"]["type"] for each in told if each["type"] == "content_block_start"]
    ended = [each["index"] for each in told if each["type"] == "content_block_stop"]
    assert (begun, ended) == (["text", "image"], [0, 1])


def test_images_are_streamed_in_responses(ask: Callable[..., Any], provider: FakeProvider) -> None:
    draw(provider, stream=True)
    told = ask("/v1/responses", "gemini", stream=True).told
    assert [item["type"] for item in told[-1]["response"]["output"]] == ["message", "image_generation_call"]
    done = [each["item"]["type"] for each in told if each["type"] == "response.output_item.done"]
    assert done == ["message", "image_generation_call"]


def test_the_result_of_a_task_holds_its_images(ask: Callable[..., Any], provider: FakeProvider) -> None:
    draw(provider, stream=False)
    ask("/v1/chat/completions", "gemini")
    assert Task.objects.get().result == f"Here:\n\n![image]({ADDRESS})"


# The same protocol


@pytest.mark.parametrize("input_", [None, '{"q": 1}', {"q": 1}])
def test_a_streamed_call_begins_with_an_empty_object_and_its_input_follows(
    ask: Callable[..., Any], provider: FakeProvider, input_: Any
) -> None:
    block = {"type": "tool_use", "id": "t1", "name": "look", "input": input_}
    sent = [
        {"type": "message_start", "message": {"content": [], "model": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    ]
    body = "".join(f"data: {json.dumps(each)}\n\n" for each in sent).encode()
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    told = ask("/v1/messages", "anthropic", stream=True).told
    (begun,) = (each for each in told if each["type"] == "content_block_start")
    assert begun["content_block"] == {**block, "input": {}}
    written = "".join(each["delta"]["partial_json"] for each in told if each["type"] == "content_block_delta")
    assert written == ('{"q":1}' if input_ else "")


def test_a_completion_drops_only_what_is_not_translated(client: APIClient, service: MakeService) -> None:
    service("first", "gemini")
    body = {"model": "first", "prompt": "Hi", "max_tokens": 5, "temperature": 0.5, "user": "ada"}
    answer: Any = client.post("/v1/completions", body, format="json")
    assert answer.headers["x-oxide-dropped"] == "user"


# Fallback


def test_an_answer_without_content_is_sought_elsewhere(
    client: APIClient, service: MakeService, provider: FakeProvider
) -> None:
    for position, each in enumerate((service("first", "gemini"), service("second", "openai"))):
        DefaultRoute.objects.create(service=each, position=position)
    body = json.dumps({"candidates": [{"content": {}, "finishReason": "TOO_MANY_TOOL_CALLS"}]}).encode()
    provider.misbehave("raw", service="first", body=body)
    answer: Any = client.post("/v1/chat/completions", BODIES["/v1/chat/completions"], format="json")
    assert answer.status_code == 200
    assert answer.headers["x-oxide-service"] == "second"
