"""What a provider of the same protocol streams is passed on as it came, and as events that any client can read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from services.models import Service
from tests.fake_provider import FakeProvider
from tests.sse import events

SENT: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "content": [], "model": "m", "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello\nthere"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def anthropic(provider: FakeProvider) -> Service:
    return Service.objects.create(name="claude", api="anthropic", base_url=provider.base_url("anthropic"), model="m")


def streamed(client: APIClient) -> list[tuple[str, Any]]:
    body = {"model": "claude", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hello?"}]}
    answer: Any = client.post("/v1/messages", body, format="json")
    return [*events(b"".join(answer.streaming_content).split(b"\n")[:-1])]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_an_event_over_several_lines_is_passed_on_as_one(
    client: APIClient, provider: FakeProvider, line_end: str
) -> None:
    frames = (
        f"event: {event['type']}\ndata: " + json.dumps(event, indent=1).replace("\n", "\ndata: ") + "\n\n"
        for event in SENT
    )
    body = "".join(frames).replace("\n", line_end).encode()
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    assert streamed(client) == [(event["type"], event) for event in SENT]


def test_bare_json_is_passed_on_as_events(client: APIClient, provider: FakeProvider) -> None:
    provider.misbehave("raw", body=json.dumps(SENT, indent=1).encode())
    assert streamed(client) == [(event["type"], event) for event in SENT]


def test_the_last_event_comes_also_where_the_provider_leaves_it_out(client: APIClient, provider: FakeProvider) -> None:
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in SENT[:-1]).encode()
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    assert streamed(client) == [(event["type"], event) for event in SENT]


def test_a_message_may_begin_without_content_and_blocks_without_a_number(
    client: APIClient, provider: FakeProvider
) -> None:
    begun = {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 3}}}
    sent = [begun, *({**event, "index": None} if "index" in event else event for event in SENT[1:])]
    provider.misbehave("raw", body=json.dumps(sent).encode())
    assert [event["type"] for _, event in streamed(client)] == [event["type"] for event in SENT]
