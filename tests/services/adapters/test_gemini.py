"""What is special to Gemini's protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.adapters.base import (
    Adapter,
    ChatRequest,
    ErrorKind,
    Feature,
    FilePart,
    ImagePart,
    Message,
    Role,
    TextPart,
    ToolCall,
)
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


def answered(provider: FakeProvider, way: str, **candidate: Any) -> None:
    """Have the provider answer with one candidate."""
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2}
    body = json.dumps({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m1"})
    content = f"data: {body}\n\n" if way == "stream" else body
    content_type = "text/event-stream" if way == "stream" else "application/json"
    provider.misbehave("raw", body=content.encode(), content_type=content_type)


@pytest.mark.parametrize(
    "reason",
    [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "OTHER",
        "NO_IMAGE",
        "IMAGE_OTHER",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "BRAND_NEW",
    ],
)
def test_an_end_without_content_is_a_failure_that_may_pass(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, reason: str
) -> None:
    answered(provider, way, content={}, finishReason=reason, finishMessage="Something went wrong")
    error = failure(adapter, question, way)
    assert (error.kind, error.permanent) == (ErrorKind.SERVER, False)
    assert reason in error.message
    assert "Something went wrong" in error.message
    assert error.partial is not None
    assert error.partial.usage.total_tokens == 5


@pytest.mark.parametrize("part", [{"text": "Hm.", "thought": True}, {"text": " \n"}])
def test_thoughts_alone_are_no_content(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, part: Any
) -> None:
    answered(provider, way, content={"parts": [part]}, finishReason="MALFORMED_FUNCTION_CALL")
    assert failure(adapter, question, way).kind is ErrorKind.SERVER


@pytest.mark.parametrize("reason", ["OTHER", "MALFORMED_FUNCTION_CALL", "BRAND_NEW"])
def test_what_was_said_before_an_odd_end_counts(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, reason: str
) -> None:
    answered(provider, way, content={"parts": [{"text": "Half"}]}, finishReason=reason)
    reply = ask(adapter, question, way)
    assert (reply.text, reply.finish_reason) == ("Half", "stop")


@pytest.mark.parametrize(
    "reason",
    ["SAFETY", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "BLOCKLIST", "SPII"],
)
def test_filters_are_told_as_such(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, reason: str
) -> None:
    answered(provider, way, finishReason=reason)
    assert ask(adapter, question, way).finish_reason == "content_filter"


def test_a_model_may_end_without_a_word(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    answered(provider, way, content={"parts": [{"text": ""}]}, finishReason="STOP")
    assert ask(adapter, question, way).finish_reason == "stop"


def test_an_image_that_the_model_drew_is_part_of_its_answer(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    parts = [
        {"inlineData": {"mimeType": "image/png", "data": "Zmlyc3Q="}, "thought": True},
        {"text": "Here:"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}},
    ]
    answered(provider, way, content={"parts": parts}, finishReason="STOP")
    reply = ask(adapter, question, way)
    assert (reply.text, reply.images) == ("Here:", (ImagePart("image/png", "iVBORw0K"),))


def test_images_are_asked_for(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    adapter.complete(replace(question, needs=frozenset({Feature.IMAGE_OUTPUT})), call())
    assert provider.requests[0].json["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"]}


@pytest.mark.parametrize(
    ("args", "text"),
    [(None, {}), ("", {}), ({"q": 1}, {"q": 1}), ('{"q": 1}', {"q": 1}), ('"{\\"q\\": 1}"', {"q": 1}), ([1], [1])],
)
def test_arguments_come_in_every_shape(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, args: Any, text: Any
) -> None:
    answered(provider, way, content={"parts": [{"functionCall": {"name": "look", "args": args}}]}, finishReason="STOP")
    (called,) = ask(adapter, question, way).tool_calls
    assert json.loads(called.arguments) == text


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_the_first_turn_is_the_users(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, role: Role
) -> None:
    adapter.complete(replace(question, messages=(Message(role, (TextPart("You write a haiku."),)),)), call())
    first = provider.requests[0].json["contents"][0]
    assert first["role"] == "user"
    assert first["parts"][0]["text"].strip()


def test_blank_text_is_not_sent(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    blank = (TextPart("\n\n"),)
    messages = (Message("system", blank), *question.messages, Message("assistant", blank, (ToolCall("c", "f", "{}"),)))
    adapter.complete(replace(question, messages=messages), call())
    body = provider.requests[0].json
    assert "systemInstruction" not in body
    assert [list(part) for part in body["contents"][1]["parts"]] == [["functionCall", "thoughtSignature"]]


def test_recordings_and_documents_are_sent(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    parts = (FilePart("audio/wav", "UklGRg=="), FilePart("application/pdf", url="https://example.org/a.pdf"))
    adapter.complete(replace(question, messages=(Message("user", parts),)), call())
    assert provider.requests[0].json["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        {"fileData": {"fileUri": "https://example.org/a.pdf", "mimeType": "application/pdf"}},
    ]


def test_more_stops_than_it_takes_are_cut(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    adapter.complete(replace(question, stop=("", *"abcdefg")), call())
    assert provider.requests[0].json["generationConfig"]["stopSequences"] == list("abcde")
