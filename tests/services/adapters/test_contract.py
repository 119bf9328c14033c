"""What holds for every provider over HTTP, whichever dialect it speaks."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from services.adapters.base import (
    Adapter,
    ChatRequest,
    Checked,
    ErrorKind,
    Feature,
    FilePart,
    ImagePart,
    JsonSchema,
    Message,
    Method,
    Native,
    Probe,
    ProviderError,
    Reply,
    Role,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from services.adapters.call import Call, CancelToken
from tests.fake_provider import DIALECTS, TEXT, FakeProvider, Recorded, Tokens
from tests.services.adapters.asking import KEY, MakeAdapter, ask, assembled, call, eventually, failure, without_ids

WEATHER = Tool("get_weather", "The weather in a city.", {"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(params=list(DIALECTS))
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(api: str, make_adapter: MakeAdapter) -> Adapter:
    return make_adapter(api)


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Answers


def test_it_answers(adapter: Adapter, question: ChatRequest, way: str) -> None:
    reply = ask(adapter, question, way)
    assert reply.text == TEXT
    assert reply.finish_reason == "stop"
    assert reply.tool_calls == ()


def test_a_stream_comes_in_pieces(adapter: Adapter, question: ChatRequest) -> None:
    texts = [event.text for event in adapter.stream(question, call()) if isinstance(event, TextDelta)]
    assert len(texts) > 5
    assert "".join(texts) == TEXT


def test_a_piece_is_passed_on_before_the_next_has_come(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.misbehave("stall")
    first = next(adapter.stream(question, call()))
    assert isinstance(first, TextDelta)
    assert TEXT.startswith(first.text)


def test_a_stream_adds_up_to_the_whole_answer(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    provider.say(reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}), ("get_time", {})))
    whole = adapter.complete(question, call())
    assert without_ids(assembled(adapter.stream(question, call()))) == without_ids(whole)
    assert whole.reasoning == "Let me think."


def test_the_model_that_really_answered_is_named(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.say(model="alpha-2026-01-01")
    assert ask(adapter, question, way).model == "alpha-2026-01-01"


def test_text_beyond_ascii_survives(adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str) -> None:
    provider.say(text="Qubits: «naïve» 量子 🐱 \n\n done")
    asked = replace(question, messages=(Message("user", (TextPart("Größe? 🐈"),)),))
    assert ask(adapter, asked, way).text == "Qubits: «naïve» 量子 🐱 \n\n done"
    assert "Größe? 🐈" in json.dumps(provider.requests[0].json, ensure_ascii=False)


@pytest.mark.parametrize(
    ("api", "word", "reason"),
    [
        ("openai", "length", "length"),
        ("openai", "stop", "stop"),
        ("openai", "content_filter", "content_filter"),
        ("openai", "function_call", "tool_calls"),
        ("openai", "new", "stop"),
        ("ollama", "length", "length"),
        ("ollama", "stop", "stop"),
        ("ollama", "load", "stop"),
        ("anthropic", "max_tokens", "length"),
        ("anthropic", "end_turn", "stop"),
        ("anthropic", "refusal", "content_filter"),
        ("anthropic", "tool_use", "tool_calls"),
        ("anthropic", "pause_turn", "stop"),
        ("gemini", "MAX_TOKENS", "length"),
        ("gemini", "STOP", "stop"),
        ("gemini", "SAFETY", "content_filter"),
        ("gemini", "OTHER", "stop"),
    ],
)
def test_finish_reasons_have_one_vocabulary(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, word: str, reason: str
) -> None:
    provider.say(finish=word)
    assert ask(adapter, question, way).finish_reason == reason


# Requests


def sent(provider: FakeProvider) -> Recorded:
    return provider.requests[-1]


def test_the_conversation_is_sent_with_its_roles(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    turns: tuple[tuple[Role, str], ...]
    turns = (("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Why?"))
    ask(adapter, replace(question, messages=tuple(Message(role, (TextPart(text),)) for role, text in turns)), way)
    body = sent(provider).json
    spoken = [{"role": role, "content": text} for role, text in turns]
    blocks = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns[1:]]
    parts = [{"role": {"assistant": "model"}.get(role, role), "parts": [{"text": text}]} for role, text in turns[1:]]
    expected: dict[str, dict[str, Any]] = {
        "openai": {"messages": spoken},
        "ollama": {"messages": spoken},
        "anthropic": {"system": "Be brief.", "messages": blocks},
        "gemini": {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": parts},
    }
    assert body.items() >= expected[api].items()


def test_limits_are_sent_in_the_providers_own_fields(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    ask(adapter, replace(question, max_tokens=100, temperature=0.0, stop=("END", "STOP")), way)
    expected: dict[str, dict[str, Any]] = {
        "openai": {"max_tokens": 100, "temperature": 0.0, "stop": ["END", "STOP"]},
        "ollama": {"options": {"num_predict": 100, "temperature": 0.0, "stop": ["END", "STOP"]}},
        "anthropic": {"max_tokens": 100, "temperature": 0.0, "stop_sequences": ["END", "STOP"]},
        "gemini": {"generationConfig": {"maxOutputTokens": 100, "temperature": 0.0, "stopSequences": ["END", "STOP"]}},
    }
    assert sent(provider).json.items() >= expected[api].items()


def test_what_is_not_asked_for_is_not_sent(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    adapter.complete(question, call())
    assert sent(provider).json.keys() <= {"model", "messages", "contents", "stream", "max_tokens"}
    assert sent(provider).json.get("max_tokens") in (None, 4096)  # Anthropic wants a limit


def test_unknown_parameters_are_passed_on(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    ask(adapter, replace(question, extra={"top_k": 40, "nested": {"a": [1]}}), way)
    assert sent(provider).json.items() >= {"top_k": 40, "nested": {"a": [1]}}.items()


def test_extra_parameters_cannot_replace_what_is_asked(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    extra = {"model": "evil", "contents" if api == "gemini" else "messages": [], "stream": way == "complete"}
    assert ask(adapter, replace(question, extra=extra), way).text == TEXT
    assert "quantum" in json.dumps(sent(provider).json)
    assert "evil" not in json.dumps(sent(provider).json)


def test_extra_options_stand_beside_those_asked_for(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    asked = replace(question, max_tokens=7, extra={"options": {"num_ctx": 8192}})
    make_adapter("ollama").complete(asked, call())
    assert sent(provider).json["options"] == {"num_predict": 7, "num_ctx": 8192}


def test_parameters_that_are_no_json_are_the_callers_mistake(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    error = failure(adapter, replace(question, extra={"seed": object()}), way)
    assert error.kind is ErrorKind.BAD_REQUEST
    assert provider.requests == []


def test_text_that_is_no_unicode_is_the_callers_mistake(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    assert failure(adapter, replace(question, model="half \ud83d"), way).kind is ErrorKind.BAD_REQUEST
    assert provider.requests == []


def test_the_key_goes_into_a_header_and_nowhere_else(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    ask(adapter, question, way)
    name, value = {
        "openai": ("authorization", f"Bearer {KEY}"),
        "ollama": ("authorization", f"Bearer {KEY}"),
        "anthropic": ("x-api-key", KEY),
        "gemini": ("x-goog-api-key", KEY),
    }[api]
    assert sent(provider).headers[name] == value
    assert KEY not in sent(provider).path
    assert KEY not in json.dumps(sent(provider).json)


def test_without_a_key_no_key_header_is_sent(
    api: str, make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    make_adapter(api, api_key="").complete(question, call())
    assert not sent(provider).headers.keys() & {"authorization", "x-api-key", "x-goog-api-key"}


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("with_root", [True, False])
def test_a_base_url_is_taken_with_and_without_its_version(
    api: str, make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, ending: str, with_root: bool
) -> None:
    roots = {"openai": "/v1", "ollama": "/api", "anthropic": "/v1", "gemini": "/v1beta"}
    bare = f"http://127.0.0.1:{provider.port}/{api}/{api}"
    adapter = make_adapter(api, base_url=bare + (roots[api] if with_root or api == "openai" else "") + ending)
    adapter.complete(question, call())
    adapter.models(call())
    path, models = {
        "openai": ("/v1/chat/completions", "/v1/models"),
        "ollama": ("/api/chat", "/api/tags"),
        "anthropic": ("/v1/messages", "/v1/models"),
        "gemini": ("/v1beta/models/alpha:generateContent", "/v1beta/models"),
    }[api]
    assert [each.path.partition("?")[0] for each in provider.requests] == [
        f"/{api}/{api}{path}",
        f"/{api}/{api}{models}",
    ]


# Tools


def test_tools_are_offered(adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str) -> None:
    ask(adapter, replace(question, tools=(WEATHER, Tool("now")), tool_choice="auto"), way)
    offered = sent(provider).json["tools"]
    if api == "gemini":
        offered = offered[0]["functionDeclarations"]
    elif api != "anthropic":
        offered = [tool["function"] for tool in offered]
    field = {"anthropic": "input_schema", "gemini": "parametersJsonSchema"}.get(api, "parameters")
    assert offered[0] == {"name": "get_weather", "description": "The weather in a city.", field: WEATHER.parameters}
    assert offered[1][field] == {"type": "object", "properties": {}}


@pytest.mark.parametrize("api", ["openai", "anthropic", "gemini"])  # Ollama has no such choice
@pytest.mark.parametrize("choice", ["none", "auto", "required", "get_weather"])
def test_the_choice_of_tools_is_passed_on(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, choice: str
) -> None:
    adapter.complete(replace(question, tools=(WEATHER,), tool_choice=choice), call())
    body = sent(provider).json
    assert CHOICES[api][choice] in (body.get("tool_choice"), body.get("toolConfig"))


CHOICES: dict[str, dict[str, Any]] = {
    "openai": {
        "none": "none",
        "auto": "auto",
        "required": "required",
        "get_weather": {"type": "function", "function": {"name": "get_weather"}},
    },
    "anthropic": {
        "none": {"type": "none"},
        "auto": {"type": "auto"},
        "required": {"type": "any"},
        "get_weather": {"type": "tool", "name": "get_weather"},
    },
    "gemini": {
        "none": {"functionCallingConfig": {"mode": "NONE"}},
        "auto": {"functionCallingConfig": {"mode": "AUTO"}},
        "required": {"functionCallingConfig": {"mode": "ANY"}},
        "get_weather": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}},
    },
}


def test_tool_calls_come_back(adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str) -> None:
    provider.say(text="", tool_calls=(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rom ü"})))
    reply = ask(adapter, replace(question, tools=(WEATHER,)), way)
    assert [each.name for each in reply.tool_calls] == ["get_weather", "get_weather"]
    assert [json.loads(each.arguments) for each in reply.tool_calls] == [{"city": "Oslo"}, {"city": "Rom ü"}]
    assert len({each.id for each in reply.tool_calls} - {""}) == 2
    assert reply.finish_reason == "tool_calls"


def test_a_streamed_tool_call_begins_with_its_name(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.say(text="", tool_calls=(("get_weather", {"city": "Oslo"}),))
    deltas = [event for event in adapter.stream(question, call()) if isinstance(event, ToolCallDelta)]
    assert [(delta.index, delta.name, bool(delta.id)) for delta in deltas[:1]] == [(0, "get_weather", True)]
    assert all((delta.index, delta.name, delta.id) == (0, "", "") for delta in deltas[1:])


def test_the_result_of_a_tool_goes_back(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    asked = Message("assistant", tool_calls=(ToolCall("call_7", "get_weather", '{"city": "Oslo"}'),))
    answered = Message("tool", (TextPart("Rain"),), tool_call_id="call_7")
    ask(adapter, replace(question, messages=(*question.messages, asked, answered), tools=(WEATHER,)), way)
    _, call_turn, result_turn = sent(provider).json["contents" if api == "gemini" else "messages"]
    assert (call_turn, result_turn) == TOOL_TURNS[api]


TOOL_TURNS: dict[str, tuple[Any, Any]] = {
    "openai": (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_7",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "content": "Rain", "tool_call_id": "call_7"},
    ),
    "ollama": (
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}],
        },
        {"role": "tool", "content": "Rain", "tool_name": "get_weather"},
    ),
    "anthropic": (
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "call_7", "name": "get_weather", "input": {"city": "Oslo"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_7", "content": [{"type": "text", "text": "Rain"}]}
            ],
        },
    ),
    "gemini": (
        {
            "role": "model",
            "parts": [
                {
                    "functionCall": {"id": "call_7", "name": "get_weather", "args": {"city": "Oslo"}},
                    "thoughtSignature": "skip_thought_signature_validator",
                }
            ],
        },
        {
            "role": "user",
            "parts": [{"functionResponse": {"id": "call_7", "name": "get_weather", "response": {"result": "Rain"}}}],
        },
    ),
}


def test_a_picture_from_a_tool_goes_back(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    asked = Message("assistant", tool_calls=(ToolCall("call_7", "see", "{}"), ToolCall("call_8", "hear", "{}")))
    seen = Message("tool", (TextPart("Seen"), ImagePart("image/png", data=PIXEL)), tool_call_id="call_7")
    heard = Message("tool", (TextPart("Heard"),), tool_call_id="call_8")
    ask(adapter, replace(question, messages=(*question.messages, asked, seen, heard)), way)
    assert sent(provider).json["contents" if api == "gemini" else "messages"][2:] == PICTURE_TURNS[api]


PICTURE_TURNS: dict[str, list[Any]] = {
    "openai": [  # a tool's own turn takes only text
        {"role": "tool", "content": "Seen", "tool_call_id": "call_7"},
        {"role": "tool", "content": "Heard", "tool_call_id": "call_8"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]},
    ],
    "ollama": [
        {"role": "tool", "content": "Seen", "images": [PIXEL], "tool_name": "see"},
        {"role": "tool", "content": "Heard", "tool_name": "hear"},
    ],
    "anthropic": [
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "call_7",
                    "content": [
                        {"type": "text", "text": "Seen"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    ],
                },
                {"type": "tool_result", "tool_use_id": "call_8", "content": [{"type": "text", "text": "Heard"}]},
            ],
        }
    ],
    "gemini": [
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "call_7", "name": "see", "response": {"result": "Seen"}}},
                {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                {"functionResponse": {"id": "call_8", "name": "hear", "response": {"result": "Heard"}}},
            ],
        }
    ],
}


# Images and schemas


def test_an_image_is_sent(adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str) -> None:
    parts = (TextPart("What is this?"), ImagePart("image/png", data=PIXEL))
    ask(adapter, replace(question, messages=(Message("user", parts),)), way)
    body = sent(provider).json
    text = {"type": "text", "text": "What is this?"}
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    expected: dict[str, Any] = {
        "openai": [text, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}],
        "ollama": [PIXEL],
        "anthropic": [text, {"type": "image", "source": source}],
        "gemini": [{"text": "What is this?"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}],
    }
    turn = body["contents" if api == "gemini" else "messages"][0]
    assert turn[{"ollama": "images", "gemini": "parts"}.get(api, "content")] == expected[api]


def test_an_image_may_be_named_by_its_address(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    url = "https://example.org/cat.png"
    asked = replace(question, messages=(Message("user", (ImagePart(url=url),)),))
    if api == "ollama":
        assert failure(adapter, asked, way).kind is ErrorKind.UNSUPPORTED
        assert provider.requests == []
        return
    ask(adapter, asked, way)
    assert {
        "openai": {"type": "image_url", "image_url": {"url": url}},
        "anthropic": {"type": "image", "source": {"type": "url", "url": url}},
        "gemini": {"fileData": {"fileUri": url}},
    }[api] in sent(provider).json["contents" if api == "gemini" else "messages"][0][
        "parts" if api == "gemini" else "content"
    ]


def test_a_json_schema_is_asked_for(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.say(text='{"answer": "qubits"}')
    reply = ask(adapter, replace(question, json_schema=JsonSchema("short_answer", SCHEMA)), way)
    wanted = {"name": "short_answer", "schema": SCHEMA, "strict": True}
    expected: dict[str, dict[str, Any]] = {
        "openai": {"response_format": {"type": "json_schema", "json_schema": wanted}},
        "ollama": {"format": SCHEMA},
        "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        "gemini": {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}},
    }
    assert sent(provider).json.items() >= expected[api].items()
    assert json.loads(reply.text) == {"answer": "qubits"}


def test_features_are_on_offer_as_the_protocol_has_them(adapter: Adapter, api: str) -> None:
    lacking = {
        "openai": {Feature.ANTHROPIC},
        "ollama": {Feature.ANTHROPIC, Feature.FILES, Feature.AUDIO, Feature.IMAGE_OUTPUT},
        "anthropic": {Feature.EMBEDDINGS, Feature.AUDIO, Feature.IMAGE_OUTPUT},
        "gemini": {Feature.ANTHROPIC},
    }[api]
    if api != "openai":
        lacking |= {Feature.OPENAI, Feature.COMPLETIONS}
    assert frozenset(Feature) - lacking == adapter.FEATURES


def test_a_document_is_sent(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    document = FilePart("application/pdf", "JVBERi0=", name="a.pdf")
    asked = replace(question, messages=(Message("user", (document,)),))
    if api == "ollama":
        assert failure(adapter, asked, way).kind is ErrorKind.UNSUPPORTED
        return
    ask(adapter, asked, way)
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    data = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}
    turn = sent(provider).json["contents" if api == "gemini" else "messages"][0]
    assert (
        turn["parts" if api == "gemini" else "content"]
        == {
            "openai": [{"type": "file", "file": data}],
            "anthropic": [{"type": "document", "source": source, "title": "a.pdf"}],
            "gemini": [{"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}}],
        }[api]
    )


def test_a_document_of_text_can_be_sent_to_all(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    document = FilePart("text/csv", text="city,rain\nOslo,7", name="rain.csv")
    asked = replace(question, messages=(Message("user", (TextPart("Sum up."), document)),))
    assert asked.features == frozenset()
    ask(adapter, asked, way)
    body = json.dumps(sent(provider).json)
    assert "Oslo,7" in body
    assert "rain.csv" in body


@pytest.mark.parametrize("arguments", ['{"city": "Os', "null", "", '"{}"', "[1]", "Oslo"])
def test_no_arguments_in_the_history_are_refused(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str, arguments: str
) -> None:
    called = Message("assistant", tool_calls=(ToolCall("c1", "get_weather", arguments),))
    answered = Message("tool", (TextPart("Rain"),), tool_call_id="c1")
    ask(adapter, replace(question, messages=(*question.messages, called, answered)), way)
    turn = sent(provider).json["contents" if api == "gemini" else "messages"][1]
    found = {
        "openai": lambda: json.loads(turn["tool_calls"][0]["function"]["arguments"]),
        "ollama": lambda: turn["tool_calls"][0]["function"]["arguments"],
        "anthropic": lambda: turn["content"][0]["input"],
        "gemini": lambda: turn["parts"][0]["functionCall"]["args"],
    }[api]()
    assert isinstance(found, dict)


def test_what_a_protocol_has_no_word_for_is_told(adapter: Adapter, api: str, question: ChatRequest, way: str) -> None:
    body = {"model": "auto", "user": "ada", "metadata": {}, "verbosity": "low"}
    native = Native("responses", body, translated=frozenset({"model"}))
    asked = replace(question, temperature=0.5, seed=7, parallel_tool_calls=False, native=native)
    limits = call()
    ask(adapter, asked, way, limits)
    dropped = ["parallel_tool_calls", "user", "verbosity"]
    if api == "openai":
        dropped.remove("user")  # chat completions have it, too
    assert limits.dropped == [*(["seed"] if api == "anthropic" else []), *dropped]


def test_where_nothing_is_dropped_nothing_is_told(adapter: Adapter, question: ChatRequest, way: str) -> None:
    limits = call()
    ask(adapter, replace(question, temperature=0.5, max_tokens=9, stop=("END",)), way, limits)
    assert limits.dropped == []


# Usage


def test_usage_is_counted_in_one_convention(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.say(tokens=Tokens(prompt=1000, completion=300, cached=600, cache_write=50, reasoning=120, cost=0.0125))
    assert (
        ask(adapter, question, way).usage
        == {
            "openai": Usage(1000, 300, 600, 50, 120, cost=Decimal("0.0125")),
            "ollama": Usage(1000, 300),
            "anthropic": Usage(1000, 300, 600, 50, 120),
            "gemini": Usage(1000, 300, 600, 0, 120),
        }[api]
    )


def test_usage_that_is_not_reported_is_estimated(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.say(text="x" * 400, tokens=None)
    usage = ask(adapter, question, way).usage
    assert not usage.reported
    assert usage.completion_tokens == 100
    assert usage.prompt_tokens == 7  # 26 characters


# Models and health


def test_it_lists_models(adapter: Adapter) -> None:
    assert adapter.models(call()) == ["alpha", "beta"]


def test_a_health_check_costs_nothing(adapter: Adapter, provider: FakeProvider) -> None:
    assert adapter.check(call()) == Checked(("alpha", "beta"))
    assert {request.method for request in provider.requests} == {"GET"}


def test_a_health_check_finds_a_bad_key(adapter: Adapter, provider: FakeProvider) -> None:
    provider.misbehave("refuse", why="auth")
    with pytest.raises(ProviderError) as caught:
        adapter.check(call())
    assert caught.value.kind is ErrorKind.AUTH


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422, 429, 500, 501, 503])
def test_a_server_that_lists_no_models_is_there_all_the_same(
    adapter: Adapter, provider: FakeProvider, status: int
) -> None:
    provider.misbehave("status", status=status)
    seen = adapter.check(call())
    assert seen.models == ()
    assert f"answered {status}" in seen.list_problem


@pytest.mark.parametrize("fault", ["html", "empty", "bad_json", "redirect"])
def test_a_server_with_something_else_in_place_of_the_list_is_there(
    adapter: Adapter, provider: FakeProvider, fault: str
) -> None:
    provider.misbehave(fault)
    assert adapter.check(call()).list_problem


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"code": "invalid_api_key", "message": "No."}),
        (403, {"type": "authentication_error", "message": "No."}),
        (403, {"message": "Incorrect API key provided: sk-***"}),
        (400, {"message": "API key not valid. Please pass a valid API key."}),
        (401, {"message": "No."}),
    ],
)
def test_an_error_that_says_so_rejects_the_key(
    adapter: Adapter, provider: FakeProvider, status: int, error: dict[str, str]
) -> None:
    provider.misbehave("status", status=status, body={"error": error})
    with pytest.raises(ProviderError):
        adapter.check(call())


@pytest.mark.parametrize("fault", ["reset", "hang"])
def test_a_check_without_an_answer_fails(adapter: Adapter, provider: FakeProvider, fault: str) -> None:
    provider.misbehave(fault)
    with pytest.raises(ProviderError) as caught:
        adapter.check(Call.within(0.5))
    assert caught.value.kind in (ErrorKind.CONNECT, ErrorKind.TIMEOUT)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_another_address_can_be_checked_and_the_next_call_is_as_ever(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest, method: Method
) -> None:
    root = f"/{api}/{api}"
    assert adapter.check(call(), Probe(f"{root}/health?deep=1", method)).list_problem == ""
    adapter.check(call(), Probe("health", method))
    assert adapter.complete(question, call()).text == TEXT
    assert adapter.models(call()) == ["alpha", "beta"]
    below = urlsplit(provider.base_url(api)).path
    asked = [(request.method, request.path) for request in provider.requests]
    assert asked[:2] == [(method, f"{root}/health?deep=1"), (method, f"{below}/health")]
    assert [each for each, _ in asked[2:]] == ["POST", "GET"]


@pytest.mark.parametrize("status", [204, 302, 403, 404, 429])
def test_at_an_address_of_its_own_all_but_401_and_5xx_is_healthy(
    adapter: Adapter, provider: FakeProvider, status: int
) -> None:
    provider.misbehave("status", status=status)
    assert adapter.check(call(), Probe("health")) == Checked()


@pytest.mark.parametrize("status", [401, 500, 503])
def test_at_an_address_of_its_own_401_and_5xx_is_unhealthy(
    adapter: Adapter, provider: FakeProvider, status: int
) -> None:
    provider.misbehave("status", status=status)
    with pytest.raises(ProviderError):
        adapter.check(call(), Probe("health"))


@pytest.mark.parametrize("fault", ["html", "empty", "bad_json", "redirect"])
def test_a_list_of_models_that_is_none_is_malformed(adapter: Adapter, provider: FakeProvider, fault: str) -> None:
    provider.misbehave(fault)
    with pytest.raises(ProviderError) as caught:
        adapter.models(call())
    assert caught.value.kind is ErrorKind.MALFORMED


# Faults


@dataclass(frozen=True)
class Case:
    """A fault of the provider, and what is to become of it."""

    fault: str
    details: dict[str, Any]
    kind: ErrorKind
    status: int | None


def case(fault: str, kind: ErrorKind, seen_status: int | None = None, **details: Any) -> Any:
    name = "-".join([fault, *map(str, details.values())])[:30]
    return pytest.param(Case(fault, details, kind, details.get("status", seen_status)), id=name)


@pytest.mark.parametrize(
    "case",
    [
        case("reset", ErrorKind.CONNECT),
        case("truncate", ErrorKind.BROKEN),
        case("html", ErrorKind.MALFORMED),
        case("empty", ErrorKind.MALFORMED),
        case("bad_json", ErrorKind.MALFORMED),
        case("redirect", ErrorKind.MALFORMED),
        case("raw", ErrorKind.MALFORMED, body=b"[]"),
        case("raw", ErrorKind.MALFORMED, body=b"{}"),
        case("raw", ErrorKind.MALFORMED, body=b'"text"'),
        case("raw", ErrorKind.MALFORMED, body=b"null"),
        case("raw", ErrorKind.MALFORMED, body=b'{"usage": NaN}'),
        case("raw", ErrorKind.MALFORMED, body=b'{"model": "\xff\xfe"}'),
        case("raw", ErrorKind.MALFORMED, body=b"[" * 100_000),
        case("status", ErrorKind.SERVER, status=408),
        case("status", ErrorKind.SERVER, status=409),
        case("status", ErrorKind.SERVER, status=425),
        case("status", ErrorKind.SERVER, status=500),
        case("status", ErrorKind.SERVER, status=503),
        case("status", ErrorKind.OVERLOADED, status=529),
        case("status", ErrorKind.UNSUPPORTED, status=501),
        case("status", ErrorKind.RATE_LIMITED, status=429),
        case("status", ErrorKind.AUTH, status=401),
        case("status", ErrorKind.AUTH, status=403),
        case("status", ErrorKind.QUOTA, status=402),
        case("status", ErrorKind.CONTEXT_LENGTH, status=413),
        case("status", ErrorKind.UNSUPPORTED, status=404),
        case("status", ErrorKind.BAD_REQUEST, status=422),
        case("refuse", ErrorKind.AUTH, why="auth"),
        case("refuse", ErrorKind.MODEL_NOT_FOUND, 404, why="model"),
        case("refuse", ErrorKind.CONTEXT_LENGTH, 400, why="context"),
        case("refuse", ErrorKind.QUOTA, why="quota"),
        case("refuse", ErrorKind.BAD_REQUEST, 400, why="bad_request"),
    ],
)
def test_each_fault_is_of_a_kind(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, case: Case
) -> None:
    provider.misbehave(case.fault, **case.details)
    error = failure(adapter, question, way)
    assert error.kind is case.kind
    assert case.status is None or error.status == case.status
    assert error.message.startswith(adapter.connection.service)


@pytest.mark.parametrize(
    ("kind", "permanent"),
    [(ErrorKind.SERVER, False), (ErrorKind.RATE_LIMITED, False), (ErrorKind.AUTH, True), (ErrorKind.QUOTA, True)],
)
def test_what_passes_is_not_permanent(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, kind: ErrorKind, permanent: bool
) -> None:
    status = {ErrorKind.SERVER: 500, ErrorKind.RATE_LIMITED: 429, ErrorKind.AUTH: 401, ErrorKind.QUOTA: 402}[kind]
    provider.misbehave("status", status=status)
    assert failure(adapter, question, way).permanent is permanent


def test_a_service_that_has_recovered_answers_again(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    for fault in ("reset", "truncate", "html"):
        provider.misbehave(fault, times=1)
        failure(adapter, question, way)
        assert ask(adapter, question, way).text == TEXT


def test_a_refused_connection_says_so(api: str, make_adapter: MakeAdapter, question: ChatRequest, way: str) -> None:
    adapter = make_adapter(api, base_url="http://127.0.0.1:9")
    error = failure(adapter, question, way)
    assert error.kind is ErrorKind.CONNECT
    assert "base_url" in error.message


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "ftp://127.0.0.1", "http://", "not a url"])
def test_an_address_that_leads_nowhere_says_so(
    api: str, make_adapter: MakeAdapter, question: ChatRequest, way: str, url: str
) -> None:
    error = failure(make_adapter(api, base_url=url), question, way)
    assert error.kind is ErrorKind.CONNECT
    assert "base_url" in error.message


def test_a_redirect_is_not_followed(adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str) -> None:
    provider.misbehave("redirect", service=adapter.connection.service.removeprefix("my_"))
    assert "redirect" in failure(adapter, question, way).message
    assert provider.requests_to("elsewhere") == []


def test_a_reply_beyond_the_cap_is_cut_off(
    api: str, make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    adapter = make_adapter(api, max_reply_bytes=100_000)
    for fault in ("huge", "gzip_bomb"):
        provider.misbehave(fault, times=1, size=5_000_000)
        error = failure(adapter, question, way)
        assert error.kind is ErrorKind.MALFORMED
        assert "OXIDE_MAX_REPLY_MB" in error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 2.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_the_pause_asked_for_is_told(
    adapter: Adapter,
    provider: FakeProvider,
    question: ChatRequest,
    way: str,
    headers: dict[str, str],
    seconds: float | None,
) -> None:
    provider.misbehave("status", status=429, headers=headers)
    assert failure(adapter, question, way).retry_after == seconds


def test_a_pause_may_be_given_as_a_date(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    provider.misbehave("status", status=503, headers={"Retry-After": until})
    pause = failure(adapter, question, "complete").retry_after
    assert pause is not None
    assert 200 < pause <= 301  # libcurl's clock is some milliseconds late, and both sides count whole seconds


# Secrets


def test_an_error_never_shows_the_key(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    provider.misbehave("refuse", why="auth")
    error = failure(adapter, question, way)
    assert "[key]" in error.message
    assert KEY not in f"{error} {error!r} {error.message} {adapter.connection!r}"


def test_a_key_at_the_cut_of_a_long_message_is_not_shown(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    for padding in range(260, 310, 7):
        provider.misbehave("status", times=1, status=400, body={"error": {"message": "x" * padding + KEY + "y" * 500}})
        assert KEY[:8] not in failure(adapter, question, way).message


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_reported_without_it(
    api: str, make_adapter: MakeAdapter, question: ChatRequest, way: str, key: str
) -> None:
    error = failure(make_adapter(api, api_key=key), question, way)
    assert error.kind is ErrorKind.AUTH
    assert key not in f"{error!r} {error.__cause__!r}"


# Broken streams


def test_a_stream_that_ends_early_is_broken(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    provider.misbehave("cut")
    error = failure(adapter, question, "stream")
    assert error.kind is ErrorKind.MALFORMED
    assert error.partial is not None
    assert error.partial.text
    assert TEXT.startswith(error.partial.text)


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [("truncate", {ErrorKind.BROKEN}), ("stream_error", {ErrorKind.SERVER, ErrorKind.OVERLOADED})],
)
def test_what_had_arrived_of_a_broken_stream_is_kept(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, fault: str, kinds: set[ErrorKind]
) -> None:
    provider.misbehave(fault)
    error = failure(adapter, question, "stream")
    assert error.kind in kinds
    assert error.partial is not None
    assert error.partial.text
    assert TEXT.startswith(error.partial.text)
    assert error.partial.usage.completion_tokens >= len(error.partial.text) // 4
    assert not error.partial.usage.reported


@pytest.mark.parametrize(("fault", "kind"), [("reset", ErrorKind.CONNECT), ("hang", ErrorKind.TIMEOUT)])
def test_of_an_answer_that_never_began_the_prompt_counts(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, fault: str, kind: ErrorKind
) -> None:
    provider.misbehave(fault)
    error = failure(adapter, question, way, call(1))
    assert (error.kind, len(provider.requests)) == (kind, 1)
    assert error.partial == Reply(model="alpha", usage=Usage(7, 0, reported=False))  # 26 characters


def test_a_whole_answer_where_a_stream_was_asked_for_is_taken(
    adapter: Adapter, api: str, provider: FakeProvider, question: ChatRequest
) -> None:
    said = provider.answer_of(api)
    body = json.dumps(DIALECTS[api].whole(said, "alpha")).encode()
    provider.misbehave("raw", body=body)
    assert assembled(adapter.stream(question, call())).text == TEXT


# Deadlines and cancelling


@pytest.mark.parametrize("fault", ["hang", "trickle", "stall"])
def test_the_deadline_is_for_the_whole_call(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, fault: str
) -> None:
    provider.misbehave(fault)
    error = failure(adapter, question, way, call(1))
    assert error.kind is ErrorKind.TIMEOUT
    assert eventually(lambda: provider.hangups == 1)


def test_what_had_arrived_by_the_deadline_is_kept(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.misbehave("stall")
    error = failure(adapter, question, "stream", call(0.5))
    assert error.kind is ErrorKind.TIMEOUT
    assert error.partial is not None
    assert error.partial.text
    assert TEXT.startswith(error.partial.text)


def test_no_call_is_made_when_no_time_is_left(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    assert failure(adapter, question, way, call(0)).kind is ErrorKind.TIMEOUT
    assert provider.requests == []


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_cancelling_closes_the_connection(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, fault: str
) -> None:
    provider.misbehave(fault)
    token = CancelToken()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(failure, adapter, question, way, Call.within(600, token))
        assert eventually(lambda: provider.requests)
        time.sleep(0.2)
        token.cancel()
        error = ended.result()
    assert error.kind is ErrorKind.CANCELLED
    assert eventually(lambda: provider.hangups == 1)
    assert error.partial is not None
    assert bool(error.partial.text) is ((fault, way) == ("stall", "stream"))
    assert error.partial.usage.prompt_tokens > 0
    assert not error.partial.usage.reported


def test_cancelling_also_closes_a_connection_that_was_used_before(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    ask(adapter, question, way)
    provider.misbehave("stall")
    token = CancelToken()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(failure, adapter, question, way, Call.within(600, token))
        assert eventually(lambda: len(provider.requests) == 2)
        time.sleep(0.2)
        token.cancel()
        error = ended.result()
    assert error.kind is ErrorKind.CANCELLED
    assert provider.connections == 1


def test_a_call_cancelled_before_it_began_is_not_made(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    token = CancelToken()
    token.cancel()
    assert failure(adapter, question, way, Call.within(600, token)).kind is ErrorKind.CANCELLED
    assert provider.requests == []


def test_leaving_a_stream_closes_its_connection(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.misbehave("stall")
    events = adapter.stream(question, call())
    next(events)
    assert provider.hangups == 0
    events.close()  # type: ignore[attr-defined]
    assert eventually(lambda: provider.hangups == 1)


# Connections


def test_connections_are_reused(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    for _ in range(5):
        adapter.complete(question, call())
        adapter.models(call())
    assert provider.connections == 1


def test_streams_reuse_their_connection(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> None:
    for _ in range(5):
        assembled(adapter.stream(question, call()))
    assert provider.connections == 1


def test_the_two_ways_of_asking_keep_their_connections(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    for way in ("complete", "stream") * 5:
        ask(adapter, question, way)
    assert provider.connections <= 2


def test_a_refusal_leaves_the_connection_usable(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.misbehave("status", status=429, times=3)
    for _ in range(3):
        failure(adapter, question, "complete")
    adapter.complete(question, call())
    assert provider.connections == 1


def test_many_calls_at_once_do_not_mix(adapter: Adapter, question: ChatRequest, provider: FakeProvider) -> None:
    def one(number: int) -> tuple[str, str]:
        asked = replace(question, model=f"model-{number}")
        return asked.model, ask(adapter, asked, "stream" if number % 2 else "complete").model

    with ThreadPoolExecutor(20) as pool:
        assert all(asked == answered for asked, answered in pool.map(one, range(60)))
    assert provider.connections <= 60


def test_proxies_of_the_environment_are_ignored(
    api: str, make_adapter: MakeAdapter, question: ChatRequest, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ask(make_adapter(api), question, way).text == TEXT


def test_a_long_prompt_arrives_whole(adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str) -> None:
    text = "long " * 500_000
    ask(adapter, replace(question, messages=(Message("user", (TextPart(text),)),)), way)
    assert text in json.dumps(sent(provider).json)


def test_closing_the_adapter_lets_go_of_idle_connections(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter.complete(question, call())
    adapter.close()
    assert eventually(lambda: not provider.open_connections)
