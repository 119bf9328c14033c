"""What is special to Gemini's protocol."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from services.adapters.base import Adapter, ChatRequest, ErrorKind, Message, TextPart, ToolCall
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import MakeAdapter, ask, assembled, call, failure


@pytest.fixture
def adapter(make_adapter: MakeAdapter) -> Adapter:
    return make_adapter("gemini")


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-pro", "gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("../../secret?x=", "..%2F..%2Fsecret%3Fx%3D"),
    ],
)
def test_the_model_stands_in_the_address(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, model: str, path: str
) -> None:
    asked = replace(question, model=model)
    adapter.complete(asked, call())
    assembled(adapter.stream(asked, call()))
    root = "/gemini/gemini/v1beta/models"
    assert [request.path for request in provider.requests] == [
        f"{root}/{path}:generateContent",
        f"{root}/{path}:streamGenerateContent?alt=sse",
    ]


def test_a_blocked_prompt_is_an_empty_answer(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    body = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "gemini-2.5-pro"})
    content = f"data: {body}\n\n" if way == "stream" else body
    content_type = "text/event-stream" if way == "stream" else "application/json"
    provider.misbehave("raw", body=content.encode(), content_type=content_type)
    reply = ask(adapter, question, way)
    assert (reply.text, reply.finish_reason, reply.model) == ("", "content_filter", "gemini-2.5-pro")


def test_the_answers_of_tools_go_back_in_one_turn(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    calls = (ToolCall("a", "rain", "{}"), ToolCall("b", "wind", "{}"))
    results = tuple(
        Message("tool", (TextPart(text),), tool_call_id=identity)
        for identity, text in [("a", '{"mm": 3}'), ("b", "strong")]
    )
    asked = replace(question, messages=(*question.messages, Message("assistant", tool_calls=calls), *results))
    adapter.complete(asked, call())
    parts = provider.requests[0].json["contents"][2]["parts"]
    assert [part["functionResponse"]["name"] for part in parts] == ["rain", "wind"]
    assert [part["functionResponse"]["response"] for part in parts] == [{"mm": 3}, {"result": "strong"}]


def test_the_pause_asked_for_stands_in_the_body(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    error = {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED", "details": details}
    provider.misbehave("status", status=429, body={"error": error})
    found = failure(adapter, question, way)
    assert (found.kind, found.retry_after) == (ErrorKind.RATE_LIMITED, 34.5)


def test_extra_generation_settings_stand_beside_those_asked_for(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    extra = {"generationConfig": {"topK": 3}, "contents": []}
    adapter.complete(replace(question, max_tokens=5, extra=extra), call())
    assert provider.requests[0].json["generationConfig"] == {"maxOutputTokens": 5, "topK": 3}
    assert provider.requests[0].json["contents"]


def test_an_answer_without_parts_is_an_answer(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    body = {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]}
    provider.misbehave("raw", body=json.dumps(body).encode())
    reply = ask(adapter, question, "complete")
    assert (reply.text, reply.finish_reason) == ("", "length")
