"""What is special to OpenAI's protocol and its many dialects."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.adapters.base import (
    Adapter,
    ChatRequest,
    Connection,
    ErrorKind,
    FilePart,
    ImagePart,
    Message,
    Native,
    Tool,
    ToolCall,
    Usage,
)
from services.adapters.conversation import ANY, MISTRAL_IDS, OPENAI_IDS, Spelling
from services.adapters.openai import OpenAIAdapter
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import MakeAdapter, ask, assembled, call, failure


@pytest.fixture
def adapter(make_adapter: MakeAdapter) -> Adapter:
    return make_adapter("openai")


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def stream_of(*chunks: Any, end: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + end).encode()


def piece(finish_reason: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}


def whole(finish_reason: str | None = "stop", **message: Any) -> bytes:
    return json.dumps({"model": "m", "choices": [{"message": message, "finish_reason": finish_reason}]}).encode()


def test_the_limit_may_have_another_name(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter = make_adapter("openai", max_tokens_field="max_completion_tokens", organization="org-1")
    adapter.complete(replace(question, max_tokens=9), call())
    assert provider.requests[0].json["max_completion_tokens"] == 9
    assert "max_tokens" not in provider.requests[0].json
    assert provider.requests[0].headers["openai-organization"] == "org-1"


@pytest.mark.parametrize("wanted", [True, False])
def test_figures_are_asked_for_at_the_end_of_a_stream(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, wanted: bool
) -> None:
    assembled(make_adapter("openai", stream_usage=wanted).stream(question, call()))
    expected = {"include_usage": True} if wanted else None
    assert provider.requests[0].json.get("stream_options") == expected


def test_a_stream_may_end_without_done_after_a_finish_reason(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    body = stream_of(piece(content="Hi"), piece("length"), end="")
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    assert ask(adapter, question, "stream").finish_reason == "length"


def test_a_stream_that_is_done_needs_no_finish_reason(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.misbehave("raw", body=stream_of(piece(content="Hi")), content_type="text/event-stream")
    assert ask(adapter, question, "stream").text == "Hi"


def test_figures_after_the_finish_are_read(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    figures = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    body = stream_of(piece(content="Hi"), piece("stop"), figures)
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    assert ask(adapter, question, "stream").usage == Usage(3, 4)


def test_of_several_answers_the_first_is_the_one(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    body = stream_of(piece(content="A"), piece(index=1, content="B"), piece("stop"), piece("length", index=1))
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    reply = ask(adapter, question, "stream")
    assert (reply.text, reply.finish_reason) == ("A", "stop")


def test_tool_calls_without_numbers_are_told_apart_by_id(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    calls = [{"id": f"c{n}", "function": {"name": "f", "arguments": {"n": n}}} for n in range(2)]
    body = stream_of(*(piece(tool_calls=[each]) for each in calls), piece("stop"))
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    reply = ask(adapter, question, "stream")
    assert reply.tool_calls == (ToolCall("c0", "f", '{"n":0}'), ToolCall("c1", "f", '{"n":1}'))
    assert reply.finish_reason == "tool_calls"


def test_a_call_that_never_gets_a_name_is_no_call(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    body = stream_of(piece(tool_calls=[{"index": 0, "id": "c", "function": {"arguments": "{}"}}]), piece("tool_calls"))
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    error = failure(adapter, question, "stream")
    assert error.kind is ErrorKind.MALFORMED
    assert "names no function" in error.message


def test_interleaved_pieces_of_tool_calls_find_their_call(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    heads = [{"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": ""}} for n in range(2)]
    tails = [{"index": n, "function": {"arguments": text}} for n, text in [(0, "[1"), (1, "[2"), (0, "]"), (1, "]")]]
    body = stream_of(piece(tool_calls=heads), *(piece(tool_calls=[tail]) for tail in tails), piece("tool_calls"))
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    assert ask(adapter, question, "stream").tool_calls == (ToolCall("c0", "f", "[1]"), ToolCall("c1", "f", "[2]"))


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Hi", "reasoning": "Hm."},
        {"content": "Hi", "reasoning_content": "Hm."},
        {"content": "Hi", "reasoning": "Hm.", "reasoning_content": None},
        {"content": [{"type": "text", "text": "Hi"}], "reasoning": "Hm."},
    ],
)
def test_reasoning_has_several_names(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, message: dict[str, Any]
) -> None:
    provider.misbehave("raw", body=whole(**message))
    reply = ask(adapter, question, "complete")
    assert (reply.text, reply.reasoning) == ("Hi", "Hm.")


def test_missing_ids_and_reasons_are_made_up(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    call_without_id = {"function": {"name": "f", "arguments": "{}"}}
    provider.misbehave("raw", body=whole(None, content=None, tool_calls=[call_without_id]))
    reply = ask(adapter, question, "complete")
    assert reply.tool_calls[0].id.startswith("call_")
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": [{"message": {"tool_calls": [{"function": {}}]}}]}',
        b'{"choices": {"message": {}}}',
    ],
)
def test_an_answer_that_lacks_its_parts_is_malformed(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, body: bytes
) -> None:
    provider.misbehave("raw", body=body)
    assert failure(adapter, question, "complete").kind is ErrorKind.MALFORMED


@pytest.mark.parametrize(
    "usage", ["many", [], {"prompt_tokens": "3"}, {"prompt_tokens": -3, "cost": -1}, {"cost": True}]
)
def test_odd_figures_do_not_lose_an_answer(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, usage: Any
) -> None:
    body = json.loads(whole(content="Hi")) | {"usage": usage}
    provider.misbehave("raw", body=json.dumps(body).encode())
    reply = ask(adapter, question, "complete")
    assert reply.text == "Hi"
    assert not reply.usage.reported


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "No credit", "code": 402}}, ErrorKind.QUOTA),
        ({"error": {"message": "Busy", "code": 429}}, ErrorKind.RATE_LIMITED),
        ({"object": "error", "message": "Model is not loaded", "code": 404}, ErrorKind.MODEL_NOT_FOUND),
        ({"choices": [{"message": {}, "finish_reason": "error", "error": {"code": 502}}]}, ErrorKind.SERVER),
    ],
)
@pytest.mark.parametrize("way", ["complete", "stream"])
def test_an_error_may_stand_in_an_answer_of_200(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, body: dict[str, Any], kind: ErrorKind, way: str
) -> None:
    if way == "stream":
        provider.misbehave("raw", body=stream_of(body), content_type="text/event-stream")
    else:
        provider.misbehave("raw", body=json.dumps(body).encode())
    assert failure(adapter, question, way).kind is kind


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "No endpoints found that support tool use.", ErrorKind.UNSUPPORTED),
        (404, "No endpoints found for nobody/nothing.", ErrorKind.MODEL_NOT_FOUND),
        (400, "nothing is not a valid model ID", ErrorKind.MODEL_NOT_FOUND),
        (403, "The model requires moderation and your input was flagged", ErrorKind.BAD_REQUEST),
        (403, "Country not supported", ErrorKind.AUTH),
    ],
)
def test_openrouters_refusals_are_understood(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, status: int, message: str, kind: ErrorKind
) -> None:
    provider.misbehave("status", status=status, body={"error": {"message": message, "code": status}})
    assert failure(adapter, question, "complete").kind is kind


def test_a_check_may_ask_about_the_key_itself(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    make_adapter("openai", key_path="/key").check(call())
    assert [request.path for request in provider.requests] == ["/openai/openai/v1/key", "/openai/openai/v1/models"]


def test_openrouter_is_asked_about_the_key_because_its_models_are_open_to_all(make_adapter: MakeAdapter) -> None:
    adapter = make_adapter("openai", base_url="https://openrouter.ai/api/v1")
    assert isinstance(adapter, OpenAIAdapter)
    assert adapter._default_key_path() == "/key"


@pytest.mark.parametrize("reason", ["brand_new", "malformed_function_call", "abort"])
def test_an_end_without_content_for_an_unknown_reason_is_a_failure_that_may_pass(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, reason: str
) -> None:
    if way == "stream":
        body = stream_of(piece(role="assistant", content=""), piece(reason))
        provider.misbehave("raw", body=body, content_type="text/event-stream")
    else:
        provider.misbehave("raw", body=whole(reason, content=""))
    for native in (None, Native("openai", {"messages": []})):
        error = failure(adapter, replace(question, native=native), way)
        assert (error.kind, error.permanent) == (ErrorKind.SERVER, False)
        assert reason in error.message


@pytest.mark.parametrize("reason", ["insufficient_system_resource", "network_error"])
def test_an_answer_that_its_server_gave_up_is_a_failure_that_may_pass(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, reason: str
) -> None:
    provider.misbehave("raw", body=whole(reason, content="Half of"))
    assert failure(adapter, question, "complete").kind is ErrorKind.SERVER


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("content_filter: PROHIBITED_CONTENT", "content_filter"),
        ("sensitive", "content_filter"),
        ("model_context_window_exceeded", "length"),
        ("eos_token", "stop"),
        ("COMPLETE", "stop"),
    ],
)
def test_other_words_for_the_reason_to_finish(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, reason: str, told: str
) -> None:
    provider.misbehave("raw", body=whole(reason, content=""))
    assert adapter.complete(question, call()).finish_reason == told


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(None, {}), ("", {}), ("null", {}), ({"q": 1}, {"q": 1}), ('"{\\"q\\": 1}"', {"q": 1}), ('{"q": 1}', {"q": 1})],
)
def test_arguments_come_in_every_shape(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, arguments: Any, text: Any
) -> None:
    called = {"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": arguments}}
    if way == "stream":
        body = stream_of(piece(tool_calls=[called]), piece("tool_calls"))
        provider.misbehave("raw", body=body, content_type="text/event-stream")
    else:
        provider.misbehave("raw", body=whole("tool_calls", content=None, tool_calls=[called]))
    (found,) = ask(adapter, question, way).tool_calls
    assert json.loads(found.arguments) == text


@pytest.mark.parametrize(("options", "asks"), [({}, False), ({"stream_usage": True}, True)])
def test_mistral_is_not_asked_for_the_usage_of_a_stream(
    question: ChatRequest, options: dict[str, Any], asks: bool
) -> None:
    adapter = OpenAIAdapter(Connection("svc", "https://api.mistral.ai/v1", options=options))
    native = Native("openai", {"messages": [], "stream_options": {"include_usage": True}})
    bodies = (adapter.body(question, stream=True), adapter.native_body(native, question, stream=True))
    assert [body.get("stream_options") for body in bodies] == [{"include_usage": True} if asks else None] * 2


def test_a_call_may_come_as_the_older_function_call(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    called = {"name": "look", "arguments": '{"q": 1}'}
    pieces = [{"name": "look", "arguments": ""}, {"arguments": '{"q"'}, {"arguments": ": 1}"}]
    stream = stream_of(*(piece(function_call=each) for each in pieces), piece("function_call"))
    whole = {"choices": [{"message": {"content": None, "function_call": called}, "finish_reason": "function_call"}]}
    provider.misbehave("raw", body=stream if way == "stream" else json.dumps(whole).encode())
    reply = ask(adapter, question, way)
    (call,) = reply.tool_calls
    assert (call.name, call.arguments, reply.finish_reason) == ("look", '{"q": 1}', "tool_calls")


def test_a_native_answer_has_arguments_that_clients_can_read(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    called = {"id": "c", "type": "function", "function": {"name": "look", "arguments": None}}
    provider.misbehave("raw", body=whole("tool_calls", content=None, tool_calls=[called]))
    native = adapter.complete(replace(question, native=Native("openai", {"messages": []})), call()).native
    assert native is not None
    (found,) = json.loads(native)["choices"][0]["message"]["tool_calls"]
    assert found["function"]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("options", "identity", "kept"),
    [
        ({}, "x" * 60, True),
        ({"tool_call_ids": "openai"}, "x" * 60, False),
        ({"tool_call_ids": "openai"}, "x" * 40, True),
        ({"tool_call_ids": "mistral"}, "call_1", False),
        ({"tool_call_ids": "mistral"}, "aB3xK9mP2", True),
    ],
)
def test_ids_keep_the_rules_of_the_vendor_in_the_clients_own_body_too(
    make_adapter: MakeAdapter,
    provider: FakeProvider,
    question: ChatRequest,
    options: dict[str, Any],
    identity: str,
    kept: bool,
) -> None:
    calls = [{"id": identity, "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": identity, "content": "1"},
    ]
    native = Native("openai", {"messages": turns, "top_k": 1})
    make_adapter("openai", **options).complete(replace(question, native=native), call())
    body = provider.requests[0].json
    assert (body["messages"] == turns) is kept
    assert body["messages"][1]["tool_calls"][0]["id"] == body["messages"][2]["tool_call_id"]
    assert body["top_k"] == 1


@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("https://api.mistral.ai/v1", MISTRAL_IDS),
        ("https://api.openai.com/v1", OPENAI_IDS),
        ("https://openrouter.ai/api/v1", ANY),
        ("http://localhost:8080/v1", ANY),
    ],
)
def test_vendors_are_known_by_their_addresses(make_adapter: MakeAdapter, address: str, ids: Spelling) -> None:
    adapter = make_adapter("openai", base_url=address)
    assert isinstance(adapter, OpenAIAdapter)
    assert adapter.call_ids is ids


def test_images_that_the_model_drew_are_part_of_the_answer(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    images = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        "nonsense",
    ]
    if way == "stream":
        body = stream_of(piece(content="Here:"), piece(images=images), piece("stop"))
        provider.misbehave("raw", body=body, content_type="text/event-stream")
    else:
        provider.misbehave("raw", body=whole(content="Here:", images=images))
    drawn = (ImagePart("image/png", "iVBORw0K"), ImagePart(url="https://example.org/a.png"))
    assert ask(adapter, question, way).images == drawn


def test_a_recording_is_sent_and_a_document_at_an_address_is_not(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    sound = FilePart("audio/mpeg", "SUQz")
    adapter.complete(replace(question, messages=(Message("user", (sound,)),)), call())
    (part,) = provider.requests[0].json["messages"][0]["content"]
    assert part == {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}}
    document = Message("user", (FilePart("application/pdf", url="https://example.org/a.pdf"),))
    assert failure(adapter, replace(question, messages=(document,)), "complete").kind is ErrorKind.UNSUPPORTED


def test_a_strict_tool_is_sent_as_one(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    adapter.complete(replace(question, tools=(Tool("f", strict=True), Tool("g"))), call())
    told = [tool["function"].get("strict") for tool in provider.requests[0].json["tools"]]
    assert told == [True, None]


@pytest.mark.parametrize(
    ("model", "effort", "told"),
    [
        ("gpt-4o", "none", None),
        ("openai/o3-mini", "none", "low"),
        ("gpt-5-mini", "none", "minimal"),
        ("gpt-5.2", "none", "none"),
        ("qwen3", "minimal", "minimal"),
    ],
)
def test_the_least_effort_is_one_that_the_model_knows(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, model: str, effort: Any, told: str | None
) -> None:
    adapter.complete(replace(question, model=model, effort=effort), call())
    assert provider.requests[0].json.get("reasoning_effort") == told


@pytest.mark.parametrize(
    ("address", "options", "name"),
    [
        ("https://api.openai.com/v1", {}, "max_completion_tokens"),
        ("https://api.openai.com/v1", {"max_tokens_field": "max_tokens"}, "max_tokens"),
        ("https://api.groq.com/openai/v1", {}, "max_tokens"),
    ],
)
def test_openai_itself_takes_the_new_name_of_the_limit(
    make_adapter: MakeAdapter, question: ChatRequest, address: str, options: dict[str, Any], name: str
) -> None:
    adapter = make_adapter("openai", base_url=address, **options)
    assert isinstance(adapter, OpenAIAdapter)
    native = Native("openai", {"messages": [], "max_tokens": 5})
    for body in (
        adapter.body(replace(question, max_tokens=5), stream=False),
        adapter.native_body(native, question, stream=False),
    ):
        assert {key: value for key, value in body.items() if key.startswith("max_")} == {name: 5}


def test_openai_itself_takes_four_stops(make_adapter: MakeAdapter, question: ChatRequest) -> None:
    asked = replace(question, stop=tuple("abcdef"))
    for address, stops in (("https://api.openai.com/v1", "abcd"), ("http://localhost:8000/v1", "abcdef")):
        adapter = make_adapter("openai", base_url=address)
        assert isinstance(adapter, OpenAIAdapter)
        assert adapter.body(asked, stream=False)["stop"] == list(stops)
