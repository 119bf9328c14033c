"""What is special to Ollama's protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.adapters.base import Adapter, ChatRequest, ErrorKind, Message, Native, TextPart, Tool, ToolCall
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import MakeAdapter, ask, call, failure


@pytest.fixture
def adapter(make_adapter: MakeAdapter) -> Adapter:
    return make_adapter("ollama")


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_model_may_be_kept_in_memory(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    make_adapter("ollama", keep_alive="10m").complete(question, call())
    assert provider.requests[0].json["keep_alive"] == "10m"


def test_a_whole_answer_is_asked_for_in_so_many_words(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter.complete(question, call())
    assert provider.requests[0].json["stream"] is False


def test_a_tool_call_cannot_be_forced(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    forced = replace(question, tools=(Tool("now"),), tool_choice="required")
    assert failure(adapter, forced, way).kind is ErrorKind.UNSUPPORTED
    assert provider.requests == []


def test_tools_that_are_not_to_be_used_are_not_offered(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter.complete(replace(question, tools=(Tool("now"),), tool_choice="none"), call())
    assert "tools" not in provider.requests[0].json


def test_a_model_that_cannot_use_tools_is_no_mistake_of_the_caller(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    body = {"error": "registry.ollama.ai/library/llama2 does not support tools"}
    provider.misbehave("status", status=400, body=body)
    error = failure(adapter, question, way)
    assert error.kind is ErrorKind.UNSUPPORTED
    assert not error.is_callers


@pytest.mark.parametrize(
    ("options", "asked", "told"),
    [
        ({}, {}, None),
        ({"num_ctx": 8192}, {}, {"num_ctx": 8192}),
        ({"num_ctx": 8192}, {"extra": {"num_ctx": 4096}}, {"num_ctx": 4096}),
        ({}, {"extra": {"options": {"num_ctx": 4096, "mirostat": 1}}}, {"num_ctx": 4096, "mirostat": 1}),
        ({}, {"native": Native("openai", {"num_ctx": 32_768, "min_p": 0.1})}, {"num_ctx": 32_768, "min_p": 0.1}),
        (
            {"num_ctx": 1},
            {"native": Native("openai", {"options": {"num_ctx": 2}}), "top_k": 3},
            {"num_ctx": 2, "top_k": 3},
        ),
        ({"num_ctx": 8192}, {"native": Native("openai", {"num_ctx": None, "options": None})}, {"num_ctx": 8192}),
        ({"num_ctx": 8192}, {"native": Native("openai", {"options": {"num_ctx": None}})}, {"num_ctx": 8192}),
    ],
)
def test_the_length_of_the_context_is_the_services_or_the_requests(
    make_adapter: MakeAdapter,
    provider: FakeProvider,
    question: ChatRequest,
    options: dict[str, Any],
    asked: dict[str, Any],
    told: Any,
) -> None:
    limits = call()
    make_adapter("ollama", **options).complete(replace(question, **asked), limits)
    body = provider.requests[0].json
    assert body.get("options") == told
    assert "num_ctx" not in body
    assert limits.dropped == []


def test_null_in_a_request_leaves_the_settings_as_they_are(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    native = Native("openai", {"think": None, "keep_alive": None})
    adapter = make_adapter("ollama", keep_alive="10m")
    adapter.complete(replace(question, native=native, effort="none"), call())
    body = provider.requests[0].json
    assert (body["think"], body["keep_alive"]) == (False, "10m")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"q": "x"}, {"q": "x"}),
        ('{"q":"x"}', {"q": "x"}),
        (None, {}),
        ("", {}),
        ("null", {}),
        ('"{\\"q\\": 1}"', {"q": 1}),
    ],
)
def test_arguments_come_in_every_shape(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, arguments: Any, text: Any
) -> None:
    message = {"content": "", "tool_calls": [{"function": {"name": "look", "arguments": arguments}}]}
    body = json.dumps({"model": "m", "message": message, "done": True, "done_reason": "stop"})
    provider.misbehave(
        "raw", body=f"{body}\n".encode(), content_type="application/x-ndjson" if way == "stream" else "application/json"
    )
    (called,) = ask(adapter, question, way).tool_calls
    assert json.loads(called.arguments) == text


def test_results_go_back_in_the_order_of_their_calls(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    calls = Message("assistant", tool_calls=(ToolCall("a", "rain", "{}"), ToolCall("b", "wind", "{}")))
    results = [Message("tool", (TextPart(text),), tool_call_id=identity) for identity, text in (("b", "2"), ("a", "1"))]
    adapter.complete(replace(question, messages=(*question.messages, calls, *results)), call())
    told = provider.requests[0].json["messages"][2:]
    assert [(each["tool_name"], each["content"]) for each in told] == [("rain", "1"), ("wind", "2")]


def test_an_answer_without_content_for_an_unknown_reason_is_none(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    body = b'{"model": "m", "message": {"content": ""}, "done": true, "done_reason": "gpu_lost"}\n'
    provider.misbehave("raw", body=body, content_type="application/x-ndjson" if way == "stream" else "application/json")
    error = failure(adapter, question, way)
    assert (error.kind, error.permanent) == (ErrorKind.SERVER, False)
    assert "gpu_lost" in error.message


def test_a_prompt_that_was_cached_is_estimated(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    body = b'{"model": "m", "message": {"content": "Hi"}, "done": true, "eval_count": 5}'
    provider.misbehave("raw", body=body)
    usage = ask(adapter, question, "complete").usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reported) == (7, 5, False)
