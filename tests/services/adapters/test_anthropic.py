"""What is special to Anthropic's protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.adapters.base import Adapter, ChatRequest, ErrorKind, Message, Native, Role, TextPart, ToolCall
from tests.fake_provider import FakeProvider, Tokens
from tests.services.adapters.asking import MakeAdapter, ask, call, failure


@pytest.fixture
def adapter(make_adapter: MakeAdapter) -> Adapter:
    return make_adapter("anthropic")


def turn(role: Role, text: str) -> Message:
    return Message(role, (TextPart(text),))


def test_the_version_and_the_limit_are_always_sent(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    make_adapter("anthropic").complete(question, call())
    make_adapter("anthropic", default_max_tokens=99, version="2030-01-01").complete(question, call())
    first, second = provider.requests
    assert (first.headers["anthropic-version"], first.json["max_tokens"]) == ("2023-06-01", 4096)
    assert (second.headers["anthropic-version"], second.json["max_tokens"]) == ("2030-01-01", 99)


def test_neighbouring_turns_of_one_role_become_one(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    calls = (ToolCall("a", "f", ""), ToolCall("b", "f", "{}"))
    messages = (
        turn("system", "One."),
        turn("user", "Hi"),
        Message("assistant", tool_calls=calls),
        Message("tool", (TextPart("1"),), tool_call_id="a"),
        Message("tool", (TextPart("2"),), tool_call_id="b"),
        turn("system", "Two."),
        turn("user", "And?"),
    )
    adapter.complete(replace(question, messages=messages), call())
    body = provider.requests[0].json
    assert body["system"] == "One.\n\nTwo."
    assert [each["role"] for each in body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "tool_result", "text"]
    assert [block["input"] for block in body["messages"][1]["content"]] == [{}, {}]


def test_empty_text_is_left_out(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    messages = (turn("user", "Hi"), turn("assistant", ""), turn("user", "Still there?"))
    adapter.complete(replace(question, messages=messages), call())
    texts = [block["text"] for block in provider.requests[0].json["messages"][0]["content"]]
    assert texts == ["Hi", "Still there?"]


def test_an_overloaded_server_passes(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    provider.misbehave("status", status=529, body=body)
    error = failure(adapter, question, "complete")
    assert (error.kind, error.permanent, error.status) == (ErrorKind.OVERLOADED, False, 529)


def test_a_spending_limit_is_not_a_rate_limit(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "Limit", "details": details}}
    provider.misbehave("status", status=429, body=body)
    assert failure(adapter, question, "complete").kind is ErrorKind.QUOTA


def test_a_stream_needs_a_stop_reason_but_no_last_event(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    events = [
        {"type": "message_start", "message": {"content": [], "model": "m", "usage": {"input_tokens": 50}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "All of it"}},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 3}},
    ]
    sent = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    provider.misbehave("raw", body=b"".join(sent), content_type="text/event-stream")
    reply = ask(adapter, question, "stream")
    assert (reply.text, reply.finish_reason) == ("All of it", "length")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (50, 3)
    provider.misbehave("raw", body=b"".join(sent[:2]), content_type="text/event-stream")
    error = failure(adapter, question, "stream")
    assert error.kind is ErrorKind.MALFORMED
    assert error.partial is not None
    assert (error.partial.text, error.partial.usage.prompt_tokens) == ("All of it", 50)


def test_json_that_was_cut_off_comes_whole_without_message_stop(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    events = [
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 50}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '```json\n{"code": "``'}},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 3}},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    reply = ask(adapter, replace(question, json_object=True), "stream")
    assert reply.text == '{"code": "``'


def test_new_kinds_of_events_and_blocks_are_passed_over(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    events = [
        {"type": "message_start", "message": {"content": [], "model": "m"}},
        {"type": "brand_new", "delta": {"type": "x"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    assert ask(adapter, question, "stream").text == "Hi"


def test_a_stream_broken_early_is_not_billed_for_the_count_at_its_start(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.say(text="word " * 40, tokens=Tokens(prompt=500, completion=60))
    provider.misbehave("cut")
    partial = failure(adapter, question, "stream").partial
    assert partial is not None
    assert partial.usage.prompt_tokens == 500
    assert partial.usage.completion_tokens == pytest.approx(len(partial.text) / 4, abs=1)


def events_of(*events: dict[str, Any]) -> bytes:
    start = {"type": "message_start", "message": {"content": None, "model": "m", "usage": {"input_tokens": 3}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    return "".join(
        f"data: {json.dumps(event)}\n\n" for event in (start, *events, end, {"type": "message_stop"})
    ).encode()


def called(input_: Any, *pieces: str) -> bytes:
    block = {"type": "tool_use", "id": "t1", "name": "look", "input": input_}
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return events_of(
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    )


@pytest.mark.parametrize(
    ("input_", "pieces", "arguments"),
    [
        ({}, ('{"q"', ': "x"}'), {"q": "x"}),
        ({"q": "x"}, (), {"q": "x"}),
        ({"q": "x"}, ('{"q": "x"}',), {"q": "x"}),
        ({"q": "x"}, ("",), {"q": "x"}),
        ('{"q": "x"}', (), {"q": "x"}),
        (None, (), {}),
        ("", (), {}),
        ({}, (), {}),
    ],
)
def test_the_input_of_a_tool_comes_at_its_beginning_or_in_pieces(
    adapter: Adapter,
    provider: FakeProvider,
    question: ChatRequest,
    input_: Any,
    pieces: tuple[str, ...],
    arguments: Any,
) -> None:
    provider.misbehave("raw", body=called(input_, *pieces), content_type="text/event-stream")
    (found,) = ask(adapter, question, "stream").tool_calls
    assert (found.id, json.loads(found.arguments)) == ("t1", arguments)


@pytest.mark.parametrize(
    ("input_", "told"), [(None, {}), ('{"q": 1}', {"q": 1}), ("", {}), ({"q": 1}, {"q": 1}), ([1], [1])]
)
def test_the_input_of_a_tool_comes_in_every_shape(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, input_: Any, told: Any
) -> None:
    content = [{"type": "tool_use", "id": None, "name": "look", "input": input_}]
    body = {"type": "message", "content": content, "stop_reason": "tool_use"}
    provider.misbehave("raw", body=json.dumps(body).encode())
    (found,) = adapter.complete(question, call()).tool_calls
    assert json.loads(found.arguments) == told
    native = adapter.complete(replace(question, native=Native("anthropic", {"messages": []})), call())
    assert native.native is not None
    (block,) = json.loads(native.native)["content"]
    assert block["id"] == native.tool_calls[0].id
    assert isinstance(block["input"], dict)


@pytest.mark.parametrize("way", ["complete", "stream"])
def test_an_end_without_content_for_an_unknown_reason_is_a_failure_that_may_pass(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.say(text="", finish="brand_new")
    error = failure(adapter, question, way)
    assert (error.kind, error.permanent) == (ErrorKind.SERVER, False)
    assert "brand_new" in error.message


@pytest.mark.parametrize("way", ["complete", "stream"])
@pytest.mark.parametrize(
    ("word", "reason"),
    [("pause_turn", "stop"), ("refusal", "content_filter"), ("model_context_window_exceeded", "length")],
)
def test_an_end_without_content_may_have_its_reason(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, word: str, reason: str
) -> None:
    provider.say(text="", finish=word)
    assert ask(adapter, question, way).finish_reason == reason
