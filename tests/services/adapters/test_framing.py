"""Answers under the wrong label, in another framing than was asked for, or with an end that is not quite one.

Each holds in every dialect, for requests that are translated and for those that are passed on as they came.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services.adapters import incoming
from services.adapters.base import Adapter, ChatRequest, ErrorKind, Message, Native, Reply, TextPart, Verbatim
from tests.fake_provider import DIALECTS, TEXT, Answer, FakeProvider
from tests.services.adapters.asking import MakeAdapter, ask, assembled, call, failure, without_ids

ANSWER = Answer(reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo, {N}"}), ("now", {})))
LABELS = ["", "application/json", "Application/JSON; charset=UTF-8", "text/event-stream", "text/plain", "a/b+json"]
PROTOCOLS = ["openai", "anthropic", "gemini", "ollama"]
Way = str


@pytest.fixture(params=[*PROTOCOLS, "openai native", "anthropic native"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(variant: str) -> str:
    return variant.removesuffix(" native")


@pytest.fixture
def adapter(api: str, make_adapter: MakeAdapter) -> Adapter:
    return make_adapter(api)


@pytest.fixture
def question(variant: str, api: str) -> ChatRequest:
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Why?"}]}
    native = Native(api, body) if "native" in variant else None  # type: ignore[arg-type]  # one of the protocols
    return ChatRequest("alpha", (Message("user", (TextPart("Why?"),)),), max_tokens=9, native=native)


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> Way:
    return str(request.param)


def frames(api: str, answer: Answer = ANSWER) -> list[bytes]:
    return DIALECTS[api].frames(answer, "alpha")


def events(api: str, answer: Answer = ANSWER) -> list[Any]:
    """The documents in a stream."""
    found = []
    for frame in frames(api, answer):
        text = frame[frame.find(b"{") :] if b"{" in frame else b""
        found += [json.loads(text)] if text.strip() else []
    return found


def whole(api: str, answer: Answer = ANSWER) -> Any:
    return DIALECTS[api].whole(answer, "alpha")


def expected(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> Reply:
    provider.say(reasoning=ANSWER.reasoning, tool_calls=ANSWER.tool_calls)
    return comparable(adapter.complete(question, call()))


def comparable(reply: Reply) -> Reply:
    calls = tuple(replace(each, arguments=json.dumps(json.loads(each.arguments))) for each in reply.tool_calls)
    return replace(without_ids(replace(reply, tool_calls=calls)), native=None)


def sse(documents: list[Any], line_end: bytes = b"\n") -> bytes:
    return b"".join(b"data:" + json.dumps(each).encode() + line_end * 2 for each in documents)


def ndjson(documents: list[Any], line_end: bytes = b"\n") -> bytes:
    return b"".join(json.dumps(each).encode() + line_end for each in documents)


def in_many_lines(documents: list[Any], line_end: bytes = b"\n") -> bytes:
    lines = (json.dumps(each, indent=2).encode().replace(b"\n", line_end + b"data: ") for each in documents)
    return b"".join(b"data: " + each + line_end * 2 for each in lines)


def bare(documents: list[Any], line_end: bytes = b"\n") -> bytes:
    return b"".join(json.dumps(each, indent=2).encode().replace(b"\n", line_end) + line_end for each in documents)


def list_of(documents: list[Any], line_end: bytes = b"\n") -> bytes:
    return json.dumps(documents, indent=1).encode().replace(b"\n", line_end)


# Streams


@pytest.mark.parametrize("label", LABELS)
def test_a_stream_is_read_under_any_label(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: Way, label: str
) -> None:
    right = expected(adapter, provider, question)
    provider.misbehave("chunks", parts=frames(api), content_type=label)
    assert comparable(ask(adapter, question, way)) == right


@pytest.mark.parametrize("framing", [sse, ndjson, in_many_lines, bare, list_of])
@pytest.mark.parametrize(
    ("start", "line_end"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r"), (b": OPENROUTER PROCESSING\n\ndata:\n\n", b"\r\n")]
)
def test_a_stream_is_read_in_any_framing(
    adapter: Adapter,
    api: str,
    provider: FakeProvider,
    question: ChatRequest,
    way: Way,
    framing: Callable[..., bytes],
    start: bytes,
    line_end: bytes,
) -> None:
    right = expected(adapter, provider, question)
    body = start + framing(events(api), line_end)
    size = max(1, len(body) // 40)
    parts = [body[place : place + size] for place in range(0, len(body), size)]
    provider.misbehave("chunks", parts=parts, content_type="application/json")
    assert comparable(ask(adapter, question, way)) == right


def test_signs_of_life_are_passed_over(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: Way
) -> None:
    right = expected(adapter, provider, question)
    alive = [
        b"data:\n\n",
        b": x\n\n",
        b"data: \n\n",
        b"event: ping\n\n",
        b"data: keep-alive\n\n",
        b"ping\n",
        b"data\n\n",
    ]
    documents = events(api)
    parts = [part for each in documents for part in (*alive, sse([each]))]
    provider.misbehave("chunks", parts=[*parts, b"data: [DONE]\n\n"])
    assert comparable(ask(adapter, question, way)) == right


# Whole answers where a stream was asked for


WHOLES: list[Callable[[Any], bytes]] = [
    lambda answer: json.dumps(answer).encode(),
    lambda answer: json.dumps(answer, indent=2).encode(),
    lambda answer: b"\xef\xbb\xbf\r\n " + json.dumps(answer, indent=2).replace("\n", "\r\n").encode() + b"\r\n",
    lambda answer: json.dumps([answer], indent=2).encode(),
    lambda answer: b"data: " + json.dumps(answer).encode() + b"\n\ndata: [DONE]\n\n",
    lambda answer: json.dumps(answer).encode() + b"\n\ndata: [DONE]",
]


@pytest.mark.parametrize(("label", "written"), list(zip(LABELS, WHOLES, strict=True)))
def test_a_whole_answer_is_read_in_any_form(
    adapter: Adapter,
    api: str,
    provider: FakeProvider,
    question: ChatRequest,
    way: Way,
    label: str,
    written: Callable[[Any], bytes],
) -> None:
    right = expected(adapter, provider, question)
    provider.misbehave("chunks", parts=[written(whole(api))], content_type=label)
    assert comparable(ask(adapter, question, way)) == right


# Whole answers for native clients


@pytest.mark.parametrize("variant", ["openai native"])
def test_a_stream_nobody_asked_for_becomes_a_completion(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    answer = replace(ANSWER, choices=2)
    provider.misbehave("chunks", parts=frames("openai", answer))
    native = adapter.complete(question, call()).native
    assert native is not None
    found = {**json.loads(native), "system_fingerprint": "fp_1"}
    assert [choice.pop("logprobs") for choice in found["choices"]] == [None, None]
    assert found == whole("openai", answer)


@pytest.mark.parametrize("variant", ["openai native"])
def test_what_is_not_known_of_a_completion_is_kept(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    def chunk(delta: Any, **beside: Any) -> Any:
        return {"choices": [{"index": 0, "delta": delta, **beside}], "usage": None, "new": [1], "created": 7}

    sent = [
        chunk({"content": None, "annotations": [1]}, logprobs={"content": [{"token": "a"}], "refusal": None}),
        chunk({"content": "So ", "audio": {"id": "x", "data": "AB"}}, logprobs={"content": [{"token": "b"}]}),
        chunk({"content": "it is", "annotations": [2], "audio": {"data": "CD"}}, logprobs=None, finish_reason="stop"),
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}, "service_tier": "flex"},
    ]
    provider.misbehave("chunks", parts=[sse(sent)])
    native = adapter.complete(question, call()).native
    assert native is not None
    message = {"role": "assistant", "content": "So it is", "annotations": [1, 2], "audio": {"id": "x", "data": "ABCD"}}
    logprobs = {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}
    found = json.loads(native)
    assert found.pop("id").startswith("chatcmpl-")
    assert found == {
        "object": "chat.completion",
        "created": 7,
        "model": "alpha",
        "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7},
        "service_tier": "flex",
        "new": [1],
    }


@pytest.mark.parametrize("variant", ["openai native"])
def test_calls_of_tools_are_put_together_though_they_have_no_number(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    pieces = [
        {"id": "a", "function": {"name": "f", "arguments": '{"x"'}},
        {"function": {"arguments": ": 1}"}},
        {"id": "b", "function": {"name": "g", "arguments": {"y": 2}}, "extra": "z"},
        {"type": "custom", "id": "c", "custom": {"name": "h", "input": "te"}, "index": 2},
        {"custom": {"input": "xt"}, "index": 2},
    ]
    sent = [{"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]} for piece in pieces]
    provider.misbehave("chunks", parts=[sse(sent), b"data: [DONE]\n\n"])
    reply = adapter.complete(question, call())
    assert reply.native is not None
    assert json.loads(reply.native)["choices"][0]["message"]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"y":2}'}, "extra": "z"},
        {"id": "c", "type": "custom", "custom": {"name": "h", "input": "text"}},
    ]
    assert [each.id for each in reply.tool_calls] == ["a", "b", "c"]


@pytest.mark.parametrize("variant", ["anthropic native"])
def test_a_stream_nobody_asked_for_becomes_a_message(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.misbehave("chunks", parts=frames("anthropic"))
    native = adapter.complete(question, call()).native
    assert native is not None
    assert json.loads(native) == {"stop_sequence": None, **whole("anthropic")}


@pytest.mark.parametrize("variant", ["anthropic native"])
def test_what_is_not_known_of_a_message_is_kept(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "other": [1]}
    citation = {"type": "char_location", "cited_text": "x"}
    sent = [
        {"type": "message_start", "message": {**start, "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "So it is."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": citation}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "search_result", "content": [3]}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "new": {"i": 1}}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]  # fmt: skip
    provider.misbehave("chunks", parts=[sse(sent)])
    native = adapter.complete(question, call()).native
    assert native is not None
    assert json.loads(native) == {
        **start,
        "stop_sequence": None,
        "content": [
            {"type": "text", "text": "So it is.", "citations": [citation]},
            {"type": "search_result", "content": [3]},
        ],
        "stop_reason": "end_turn",
        "new": {"i": 1},
        "usage": {"input_tokens": 5, "output_tokens": 7},
    }


# Errors within a status of 200


ERRORS: list[tuple[Any, ErrorKind]] = [
    ({"error": {"message": "out of luck", "code": "insufficient_quota"}}, ErrorKind.QUOTA),
    ({"error": {"message": "out of luck", "code": 429}}, ErrorKind.RATE_LIMITED),
    ({"error": {"message": "out of luck", "code": "429"}}, ErrorKind.RATE_LIMITED),
    ({"error": {"message": "out of luck", "type": "context_length_exceeded"}}, ErrorKind.CONTEXT_LENGTH),
    ({"error": "out of luck", "code": 503}, ErrorKind.SERVER),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "out of luck"}}, ErrorKind.OVERLOADED),
    ({"code": 429, "message": "out of luck"}, ErrorKind.RATE_LIMITED),
    ({"detail": "out of luck"}, ErrorKind.SERVER),
]
WRITTEN: list[Callable[[Any], bytes]] = [
    lambda error: json.dumps(error).encode(),
    lambda error: json.dumps(error, indent=1).encode() + b"\n",
    lambda error: json.dumps([error], indent=1).encode(),
    lambda error: b"data: " + json.dumps(error).encode() + b"\n\n",
    lambda error: b"data:" + json.dumps(error).encode(),
    lambda error: b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n",
    lambda error: b"event: error\ndata: " + json.dumps(error, indent=1).encode().replace(b"\n", b"\ndata: "),
]


ERROR_BODIES = [
    *((error, kind, WRITTEN[0]) for error, kind in ERRORS),
    *((*ERRORS[1], written) for written in WRITTEN[1:]),
]


@pytest.mark.parametrize(("error", "kind", "written"), ERROR_BODIES)
@pytest.mark.parametrize("place", ["alone", "later"])
def test_an_error_within_a_stream_keeps_its_words_and_its_kind(
    adapter: Adapter,
    api: str,
    provider: FakeProvider,
    question: ChatRequest,
    error: Any,
    kind: ErrorKind,
    written: Callable[[Any], bytes],
    place: str,
) -> None:
    begun = [] if place == "alone" else frames(api)[: len(frames(api)) // 2]
    provider.misbehave("chunks", parts=[*begun, written(error)])
    caught = failure(adapter, question, "stream")
    assert "out of luck" in caught.message
    assert caught.kind is kind
    assert bool(caught.partial and caught.partial.reasoning) is bool(begun)


@pytest.mark.parametrize(("error", "kind", "written"), ERROR_BODIES)
def test_an_error_in_place_of_an_answer_keeps_its_words_and_its_kind(
    adapter: Adapter,
    provider: FakeProvider,
    question: ChatRequest,
    error: Any,
    kind: ErrorKind,
    written: Callable[[Any], bytes],
) -> None:
    provider.misbehave("raw", body=written(error))
    caught = failure(adapter, question, "complete")
    assert "out of luck" in caught.message
    assert caught.kind is kind


def test_an_error_event_may_say_it_in_plain_text(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: Way
) -> None:
    provider.misbehave("chunks", parts=[b"event: error\ndata: out of luck\n\n"])
    assert "out of luck" in failure(adapter, question, way).message


def test_the_body_of_a_refusal_may_be_a_stream(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: Way
) -> None:
    for body in (
        b'data: {"error": {"message": "out of luck"}}\n\n',
        b'event: error\ndata: {"detail": "out of luck"}\n\n',
    ):
        provider.misbehave("status", status=429, body=body)
        caught = failure(adapter, question, way)
        assert (caught.kind, caught.status) == (ErrorKind.RATE_LIMITED, 429)
        assert "out of luck" in caught.message


# Ends


def without_mark(api: str) -> list[bytes]:
    """The stream without its mark of the end: up to the finish reason and the figures."""
    ends = {"openai": 1, "anthropic": 1, "gemini": 0, "ollama": 0}
    found = frames(api)
    return found[: len(found) - ends[api]]


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "_GRACE_SECONDS", 0.2)


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize(
    ("then", "lost"),
    [
        ("end", b"\n\n"),
        ("end", b"\n"),
        ("break", b"\n\n"),
        ("open", b""),
        ("open", b"\n\n"),
        ("pings", b""),
        ("pings", b"\n"),
    ],
)
def test_a_stream_ends_well_once_its_finish_reason_has_come(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, then: str, lost: bytes
) -> None:
    right = expected(adapter, provider, question)
    *parts, last = without_mark(api)
    parts.append(last.removesuffix(lost) if lost else last)
    provider.misbehave("chunks", parts=parts, then=then)
    assert comparable(ask(adapter, question, "stream", call(5))) == right


@pytest.mark.parametrize("then", ["break", "open"])
def test_a_stream_nobody_asked_for_ends_well_too(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, then: str
) -> None:
    right = expected(adapter, provider, question)
    provider.misbehave("chunks", parts=[sse(events(api))], then=then)
    assert comparable(ask(adapter, question, "complete", call(1))) == right
    provider.misbehave("chunks", parts=[sse(events(api)[:2])], then=then)
    assert failure(adapter, question, "complete", call(1)).kind in (ErrorKind.BROKEN, ErrorKind.TIMEOUT)


@pytest.mark.parametrize("then", ["break", "open", "pings"])
def test_a_stream_ends_at_its_mark_whatever_the_connection_does(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, then: str
) -> None:
    right = expected(adapter, provider, question)
    provider.misbehave("chunks", parts=[*frames(api), b"data: [DONE]\n"], then=then)
    assert comparable(ask(adapter, question, "stream", call(5))) == right


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("variant", ["openai native"])
def test_answers_beside_the_first_are_waited_for(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    def chunk(index: int, text: str, reason: str | None = None) -> bytes:
        choice = {"index": index, "delta": {"content": text}, "finish_reason": reason}
        return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

    assert question.native is not None
    question = replace(question, native=replace(question.native, body={**question.native.body, "n": 2}))
    provider.misbehave("chunks", parts=[chunk(0, "Hi", "stop"), chunk(1, "Ho")], then="open")
    assert failure(adapter, question, "stream", call(1)).kind is ErrorKind.TIMEOUT
    provider.misbehave("chunks", parts=[chunk(0, "Hi", "stop"), chunk(1, "Ho", "stop")], then="open")
    events = list(adapter.stream(question, call(5)))
    assert assembled(iter(events)).text == "Hi"
    assert sum(isinstance(event, Verbatim) for event in events) == 2


@pytest.mark.usefixtures("short_grace")
def test_more_text_behind_a_finish_reason_still_counts(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    # Gemini's first versions said STOP in each piece.
    pieces = [
        {"candidates": [{"content": {"parts": [{"text": word}]}, "finishReason": "STOP"}]} for word in ("a", "b", "c")
    ]
    parts = [sse([piece]) for piece in pieces]
    provider.misbehave("chunks", parts=parts, then="open")
    question = ChatRequest("alpha", (Message("user", (TextPart("Why?"),)),))
    assert ask(make_adapter("gemini"), question, "stream", call(5)).text == "abc"


@pytest.mark.parametrize(("then", "kind"), [("end", ErrorKind.MALFORMED), ("break", ErrorKind.BROKEN)])
def test_a_stream_that_breaks_before_its_finish_reason_is_an_error(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, then: str, kind: ErrorKind
) -> None:
    found = frames(api, Answer())
    provider.misbehave("chunks", parts=[*found[: len(found) // 2], b'data: {"mod'], then=then)
    caught = failure(adapter, question, "stream")
    assert caught.kind is kind
    assert caught.partial is not None
    assert caught.partial.text
    assert TEXT.startswith(caught.partial.text)
    assert caught.partial.usage.prompt_tokens


@pytest.mark.parametrize("body", [b"<!doctype html><h1>Welcome</h1>", b"upstream connect error", b"null"])
def test_text_in_place_of_an_answer_says_how_it_begins(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, body: bytes
) -> None:
    provider.misbehave("chunks", parts=[body])
    caught = failure(adapter, question, "stream")
    assert caught.kind is ErrorKind.MALFORMED
    assert f"it begins with {body.decode()!r}" in caught.message
