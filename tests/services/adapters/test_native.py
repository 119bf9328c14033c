"""A request in a provider's own protocol goes to it as it was written, and its answer comes back as it was given."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.adapters.base import (
    Adapter,
    ChatRequest,
    Delta,
    EmbeddingRequest,
    ErrorKind,
    Finish,
    Message,
    Native,
    ProviderError,
    TextDelta,
    TextPart,
    ToolCall,
    Verbatim,
)
from services.adapters.estimate import estimate
from tests.fake_provider import DIALECTS, TEXT, Answer, FakeProvider, Recorded, Tokens
from tests.services.adapters.asking import MakeAdapter, ask, assembled, call, failure

BODIES: dict[str, dict[str, Any]] = {
    "openai": {
        "model": "auto",
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "max_tokens": 9,
        "logit_bias": {"7": -100},
        "something_new": {"deep": [1, 2]},
        "stream_options": {"include_obfuscation": False},
    },
    "anthropic": {
        "max_tokens": 9,
        "model": "auto",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}],
        "top_k": 3,
        "something_new": {"deep": [1, 2]},
    },
}
OTHERS = {"openai": "anthropic", "anthropic": "openai"}


@pytest.fixture(params=list(BODIES))
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(api: str, make_adapter: MakeAdapter) -> Adapter:
    return make_adapter(api)


@pytest.fixture
def question(api: str) -> ChatRequest:
    messages = (Message("system", (TextPart("Be brief."),)), Message("user", (TextPart("Why?"),)))
    native = Native(api, BODIES[api])  # type: ignore[arg-type]  # each key is one of the protocols
    return ChatRequest("alpha", messages, max_tokens=9, extra={"extra": True}, native=native)


def sent(provider: FakeProvider) -> Recorded:
    return provider.requests[-1]


def test_the_body_is_the_clients_but_for_the_model(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter.complete(question, call())
    kept = {name: value for name, value in BODIES[api].items() if name != "stream_options"}
    assert sent(provider).json == {**kept, "model": "alpha"}


def test_a_stream_is_asked_for_with_its_figures(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest
) -> None:
    ask(adapter, question, "stream")
    expected = {**BODIES[api], "model": "alpha", "stream": True}
    if api == "openai":
        expected["stream_options"] = {"include_obfuscation": False, "include_usage": True}
    assert sent(provider).json == expected


def test_the_answer_is_kept_as_it_came(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest
) -> None:
    body = json.dumps(DIALECTS[api].whole(Answer(), "alpha") | {"new": 1.50}, indent=3).encode()
    provider.misbehave("raw", body=body)
    reply = adapter.complete(question, call())
    assert reply.text == TEXT
    assert reply.native == body


def answered(provider: FakeProvider, make_adapter: MakeAdapter, question: ChatRequest, *choices: Any) -> Any:
    """What the client of a native request gets of these choices, beside the reply that is kept."""
    body = json.dumps({"model": "alpha", "choices": choices, "new": 1}).encode()
    provider.misbehave("raw", body=body)
    reply = make_adapter("openai").complete(replace(question, native=Native("openai", BODIES["openai"])), call())
    assert reply.native is not None
    return json.loads(reply.native), reply


def test_calls_that_lack_what_clients_need_are_given_it(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    bare = {"function": {"name": "f", "arguments": {"city": "Oslo"}}}
    choices = [{"index": place, "message": {"role": "assistant", "tool_calls": [bare, bare]}} for place in (0, 1)]
    told, reply = answered(provider, make_adapter, question, *choices)
    calls = [made for choice in told["choices"] for made in choice["message"]["tool_calls"]]
    assert len({made["id"] for made in calls}) == 4
    assert [made["id"] for made in calls[:2]] == [made.id for made in reply.tool_calls]
    assert {(made["type"], made["function"]["arguments"]) for made in calls} == {("function", '{"city":"Oslo"}')}
    assert told["new"] == 1


@pytest.mark.parametrize(("sent", "told"), [("MAX_TOKENS", "length"), ("eos", "stop"), (None, "stop")])
def test_reasons_that_no_client_knows_become_those_they_know(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, sent: str | None, told: str
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": sent}
    answer, reply = answered(provider, make_adapter, question, choice)
    assert answer["choices"][0]["finish_reason"] == reply.finish_reason == told


def test_a_call_of_a_tool_that_takes_any_text_is_understood(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    made = {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [made]}, "finish_reason": "tool_calls"}
    told, reply = answered(provider, make_adapter, question, choice)
    assert told["choices"][0]["message"]["tool_calls"] == [made]
    assert reply.tool_calls == (ToolCall("c1", "sql", "SELECT 1"),)


def test_the_events_come_as_the_provider_sent_them(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.say(reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}),))
    *events, finish = adapter.stream(question, call())
    assert isinstance(finish, Finish)
    passed = [json.loads(event.event) for event in events if isinstance(event, Verbatim)]
    assert len(passed) == len(events)
    if api == "openai":
        assert {chunk["object"] for chunk in passed} == {"chat.completion.chunk"}
        assert passed[-1]["usage"]["completion_tokens"] == 15
    else:
        kinds = [event["type"] for event in passed]
        assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
        assert "ping" not in kinds
        assert {"type": "signature_delta", "signature": "c2ln"} in [event.get("delta") for event in passed]


def test_what_they_say_is_understood_all_the_same(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.say(reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}),))
    translated = assembled(adapter.stream(replace(question, native=None), call()))
    assert assembled(adapter.stream(question, call())) == translated


def test_a_greeting_says_nothing(adapter: Adapter, question: ChatRequest) -> None:
    first = next(iter(adapter.stream(question, call())))
    assert isinstance(first, Verbatim)
    assert first.deltas == ()


def test_an_answer_that_comes_as_a_whole_is_cut_into_events(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.say(reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}), ("now", {})))
    whole = adapter.complete(question, call())
    assert whole.native is not None
    provider.misbehave("raw", body=whole.native)
    events = list(adapter.stream(question, call()))
    pieces = assembled(iter(events))
    assert (pieces.text, pieces.reasoning, pieces.usage) == (whole.text, whole.reasoning, whole.usage)
    assert [(call.id, call.name, json.loads(call.arguments)) for call in pieces.tool_calls] == [
        (call.id, call.name, json.loads(call.arguments)) for call in whole.tool_calls
    ]
    passed = [json.loads(event.event) for event in events if isinstance(event, Verbatim)]
    if api == "openai":
        assert passed[0]["choices"][0]["delta"]["tool_calls"][1]["index"] == 1
        assert passed[0]["choices"][0]["finish_reason"] == "tool_calls"
    else:
        starts = [event["content_block"]["type"] for event in passed if event["type"] == "content_block_start"]
        assert starts == ["thinking", "text", "tool_use", "tool_use"]
        assert [event["type"] for event in passed[-2:]] == ["message_delta", "message_stop"]


@pytest.mark.parametrize("fault", ["truncate", "cut", "stream_error"])
def test_a_stream_that_breaks_keeps_what_had_come(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, fault: str
) -> None:
    provider.misbehave(fault)
    error = failure(adapter, question, "stream")
    assert error.partial is not None
    assert TEXT.startswith(error.partial.text)
    assert error.partial.text


def test_another_protocol_gets_it_in_its_own_words(
    make_adapter: MakeAdapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    reply = ask(make_adapter(OTHERS[api]), question, way)
    assert reply.text == TEXT
    assert reply.native is None
    assert "something_new" not in sent(provider).json
    assert sent(provider).json["extra"] is True


def test_the_limit_is_called_what_the_service_calls_it(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    body = {**BODIES["openai"], "temperature": 0.5}
    adapter = make_adapter("openai", max_tokens_field="max_completion_tokens", omit=["temperature"])
    adapter.complete(replace(question, native=Native("openai", body)), call())
    assert sent(provider).json["max_completion_tokens"] == 9
    assert sent(provider).json.keys().isdisjoint({"max_tokens", "temperature"})


def test_a_service_that_knows_no_figures_is_not_asked_for_them(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    asked = replace(question, native=Native("openai", BODIES["openai"]))
    ask(make_adapter("openai", stream_usage=False), asked, "stream")
    assert sent(provider).json["stream_options"] == {"include_obfuscation": False}


def test_headers_that_cannot_be_sent_are_the_clients_mistake(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    native = Native("anthropic", BODIES["anthropic"], {"anthropic-beta": "größer"})
    error = failure(make_adapter("anthropic"), replace(question, native=native), way)
    assert error.kind is ErrorKind.BAD_REQUEST
    assert "anthropic-beta" in error.message
    assert provider.requests == []


def test_headers_of_the_protocol_are_the_clients(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    headers = {"anthropic-version": "2024-10-10", "anthropic-beta": "context-1m"}
    make_adapter("anthropic").complete(
        replace(question, native=Native("anthropic", BODIES["anthropic"], headers)), call()
    )
    assert headers.items() <= sent(provider).headers.items()
    assert sent(provider).headers["x-api-key"]


def test_of_several_answers_the_first_is_kept_and_all_are_passed_on(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    several = replace(question, native=Native("openai", {**BODIES["openai"], "n": 2, "logprobs": True}))
    adapter = make_adapter("openai")
    whole = adapter.complete(several, call())
    assert whole.text == TEXT
    assert [choice["index"] for choice in json.loads(whole.native or b"")["choices"]] == [0, 1]
    events = [event for event in adapter.stream(several, call()) if isinstance(event, Verbatim)]
    said: list[Delta] = [delta for event in events for delta in event.deltas]
    assert "".join(delta.text for delta in said if isinstance(delta, TextDelta)) == TEXT
    choices = [choice for event in events for choice in json.loads(event.event)["choices"]]
    assert {choice["index"] for choice in choices} == {0, 1}
    assert choices[0]["logprobs"]["content"][0]["token"] == "Quantum"


def test_all_answers_are_counted_where_the_stream_breaks(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    several = replace(question, native=Native("openai", {**BODIES["openai"], "n": 2}))
    provider.misbehave("truncate")
    error = failure(make_adapter("openai"), several, "stream")
    assert error.partial is not None
    alone = estimate(several, error.partial.text).completion_tokens
    assert error.partial.usage.completion_tokens >= 2 * alone - 1
    assert not error.partial.usage.reported


def test_all_answers_are_counted_where_the_provider_does_not(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.say(text="x" * 400, tool_calls=(("f", {"a": "y" * 390}),), tokens=None)  # 400 characters, too
    several = replace(question, native=Native("openai", {**BODIES["openai"], "n": 3}))
    assert ask(make_adapter("openai"), several, way).usage.completion_tokens == 600


def test_blocks_that_are_not_known_pass(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    content = [
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "Found.", "citations": [{"type": "web_search_result_location"}]},
    ]
    usage = {"input_tokens": 3, "output_tokens": 2}
    body = {"id": "msg_1", "type": "message", "content": content, "stop_reason": "end_turn", "usage": usage}
    provider.misbehave("raw", body=json.dumps(body).encode())
    question = ChatRequest("alpha", (), native=Native("anthropic", BODIES["anthropic"]))
    assert make_adapter("anthropic").complete(question, call()).text == "Found."
    events = [event for event in make_adapter("anthropic").stream(question, call()) if isinstance(event, Verbatim)]
    starts = [json.loads(event.event).get("content_block") for event in events]
    assert content[1] in starts


def test_what_is_written_for_a_tool_of_the_vendors_own_is_counted(
    make_adapter: MakeAdapter, provider: FakeProvider
) -> None:
    events = [
        {"type": "message_start", "message": {"content": [], "model": "m"}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "server_tool_use", "id": "s", "name": "w"},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "q" * 40}},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    provider.misbehave("raw", body=body, content_type="text/event-stream")
    question = ChatRequest("alpha", (), native=Native("anthropic", BODIES["anthropic"]))
    error = failure(make_adapter("anthropic"), question, "stream")
    assert error.partial is not None
    assert (error.partial.tool_calls, error.partial.usage.completion_tokens) == ((), 10)


def test_a_refusal_is_the_text_and_passes_as_it_is(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.say(text="", refusal="I would rather not.")
    asked = replace(question, native=Native("openai", BODIES["openai"]))
    whole = make_adapter("openai").complete(asked, call())
    assert whole.text == "I would rather not."
    assert json.loads(whole.native or b"")["choices"][0]["message"]["refusal"] == "I would rather not."
    assert assembled(make_adapter("openai").stream(asked, call())).text == whole.text


# Counting tokens


def test_anthropic_counts_what_the_client_wrote(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    question = ChatRequest("alpha", (), native=Native("anthropic", BODIES["anthropic"]))
    assert make_adapter("anthropic").count_tokens(question, call()) == 10
    assert sent(provider).path.endswith("/v1/messages/count_tokens")
    assert sent(provider).json.keys() == {"model", "system", "messages"}


def test_others_count_in_their_own_words(make_adapter: MakeAdapter, question: ChatRequest) -> None:
    asked = replace(question, native=None)
    assert make_adapter("anthropic").count_tokens(asked, call()) == 10
    assert make_adapter("gemini").count_tokens(asked, call()) == 10
    assert make_adapter("openai").count_tokens(asked, call()) is None
    assert make_adapter("ollama").count_tokens(asked, call()) is None


# Money


def test_figures_in_an_answer_that_cannot_be_read_count(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    bodies = {
        "openai": {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
        "anthropic": {"content": 7, "usage": {"input_tokens": 5, "output_tokens": 2}},
        "gemini": {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2}},
        "ollama": {"done": True, "prompt_eval_count": 5, "eval_count": 2},
    }
    for kind, body in bodies.items():
        provider.misbehave("raw", body=json.dumps(body).encode())
        error = failure(make_adapter(kind), ChatRequest("alpha", ()), "complete")
        assert error.partial is not None, kind
        usage = error.partial.usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.reported) == (5, 2, True), kind


@pytest.mark.parametrize("fault", ["status", "refuse"])
def test_a_refusal_costs_nothing(adapter: Adapter, provider: FakeProvider, question: ChatRequest, fault: str) -> None:
    provider.misbehave(fault, **({"status": 500} if fault == "status" else {"why": "auth"}))
    with pytest.raises(ProviderError) as caught:
        adapter.complete(question, call())
    assert caught.value.partial is None


def test_a_call_that_was_never_sent_costs_nothing(make_adapter: MakeAdapter, question: ChatRequest) -> None:
    nobody = make_adapter("openai", base_url="http://127.0.0.1:9/v1")
    assert failure(nobody, question, "complete").partial is None
    assert failure(make_adapter("openai"), question, "complete", call(0)).partial is None


def test_what_a_provider_reports_is_written_down_by_the_fake(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.say(tokens=Tokens(30, 20, cached=10))
    usage = ask(adapter, question, way).usage
    ((service, tokens),) = provider.reported
    assert (service, tokens.prompt, tokens.completion) == (api, usage.prompt_tokens, usage.completion_tokens)


def test_embeddings_are_written_down_as_well(make_adapter: MakeAdapter, provider: FakeProvider) -> None:
    usage = make_adapter("openai").embed(EmbeddingRequest("small", ("one", "two")), call()).usage
    assert provider.reported == [("openai", Tokens(usage.prompt_tokens, 0))]
