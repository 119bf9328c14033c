"""What is special to Ollama's protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.adapters.base import Adapter, ChatRequest, ErrorKind, Message, Tool, ToolCall
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


def test_arguments_that_are_no_object_are_the_callers_mistake(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    broken = Message("assistant", tool_calls=(ToolCall("c1", "now", "[1, 2"),))
    error = failure(adapter, replace(question, messages=(*question.messages, broken)), way)
    assert error.kind is ErrorKind.BAD_REQUEST
    assert provider.requests == []


def test_the_result_of_an_unknown_call_is_the_callers_mistake(
    adapter: Adapter, question: ChatRequest, way: str
) -> None:
    lost = Message("tool", tool_call_id="c9")
    error = failure(adapter, replace(question, messages=(*question.messages, lost)), way)
    assert error.kind is ErrorKind.BAD_REQUEST
    assert "c9" in error.message


def test_a_prompt_that_was_cached_is_estimated(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    body = b'{"model": "m", "message": {"content": "Hi"}, "done": true, "eval_count": 5}'
    provider.misbehave("raw", body=body)
    usage = ask(adapter, question, "complete").usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reported) == (7, 5, False)
