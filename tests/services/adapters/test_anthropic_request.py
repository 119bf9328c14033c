"""What Anthropic refuses is not sent to it: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services.adapters.base import (
    Adapter,
    ChatRequest,
    ErrorKind,
    FilePart,
    ImagePart,
    JsonSchema,
    Message,
    Role,
    TextPart,
    Tool,
    ToolCall,
)
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import MakeAdapter, ask, call, failure

LOOK = Tool("look", parameters={"type": "object", "properties": {"q": {"type": "string"}}})


@pytest.fixture
def adapter(make_adapter: MakeAdapter) -> Adapter:
    return make_adapter("anthropic")


@pytest.fixture(params=["complete", "stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def turn(role: Role, *texts: str) -> Message:
    return Message(role, tuple(map(TextPart, texts)))


class Sent:
    """The body that a request becomes, and what was dropped of it."""

    def __init__(self, adapter: Adapter, provider: FakeProvider, request: ChatRequest) -> None:
        limits = call()
        adapter.complete(request, limits)
        self.body: dict[str, Any] = provider.requests[-1].json
        self.dropped = limits.dropped


@pytest.fixture
def sent(adapter: Adapter, provider: FakeProvider, question: ChatRequest) -> Any:
    return lambda **fields: Sent(adapter, provider, replace(question, **fields))


# Turns


@pytest.mark.parametrize("blank", ["", " ", "\n\n", "\t \r\n", "\u00a0"])
def test_blank_text_is_not_sent(sent: Any, blank: str) -> None:
    called = Message("assistant", (TextPart(blank),), (ToolCall("c", "look", "{}"),))
    answered = Message("tool", (TextPart(blank),), tool_call_id="c")
    body = sent(
        messages=(turn("system", blank), turn("user", "Hi", blank), called, answered, turn("assistant", blank))
    ).body
    assert "system" not in body
    blocks = [block for message in body["messages"] for block in message["content"]]
    assert [block["type"] for block in blocks] == ["text", "tool_use", "tool_result"]
    assert "content" not in blocks[2]


@pytest.mark.parametrize(
    "messages", [(turn("system", "You write a haiku."),), (turn("user", ""),), (turn("user", " "),)]
)
def test_there_is_always_a_turn_of_the_users(sent: Any, messages: tuple[Message, ...]) -> None:
    (message,) = sent(messages=messages).body["messages"]
    assert message["role"] == "user"
    assert message["content"][0]["text"].strip()


def test_the_first_turn_is_the_users(sent: Any) -> None:
    body = sent(messages=(turn("system", "Be brief."), turn("assistant", "Hello!"), turn("user", "Hi"))).body
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["system"] == "Be brief."


def test_the_answer_that_is_begun_ends_in_no_white_space(sent: Any) -> None:
    body = sent(messages=(turn("user", "Hi"), turn("assistant", "Once upon ")), model="claude-sonnet-4-5").body
    assert body["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "Once upon"}]}


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-sonnet-5", "anthropic/claude-opus-5.5"])
def test_models_that_go_on_with_no_answer_get_a_turn_of_the_users(sent: Any, model: str) -> None:
    body = sent(messages=(turn("user", "Hi"), turn("assistant", "Once")), model=model).body
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


# Tools


@pytest.mark.parametrize(
    ("arguments", "input_"),
    [
        ('{"q": "x"}', {"q": "x"}),
        ('"{\\"q\\": \\"x\\"}"', {"q": "x"}),
        ("", {}),
        ("  ", {}),
        ("null", {}),
        ('"null"', {}),
        ('{"q": "x', {"arguments": '{"q": "x'}),
        ("[1, 2]", {"arguments": [1, 2]}),
        ("7", {"arguments": 7}),
        ("q=x", {"arguments": "q=x"}),
        ('{"q": NaN}', {"arguments": '{"q": NaN}'}),
    ],
)
def test_arguments_of_every_shape_become_an_object(sent: Any, arguments: str, input_: Any) -> None:
    called = Message("assistant", tool_calls=(ToolCall("c", "look", arguments),))
    body = sent(messages=(turn("user", "Hi"), called, Message("tool", (TextPart("1"),), tool_call_id="c"))).body
    assert body["messages"][1]["content"][0]["input"] == input_


def test_names_that_the_vendor_refuses_are_sent_as_others_and_come_back(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str
) -> None:
    names = ("mcp.server/search", "ein Werkzeug", "x" * 90, "look")
    asked = replace(question, tools=tuple(Tool(name) for name in names), tool_choice=names[0])
    ask(adapter, asked, way)
    body = provider.requests[-1].json
    told = [tool["name"] for tool in body["tools"]]
    assert body["tool_choice"]["name"] == told[0]
    assert all(name.replace("_", "").replace("-", "").isalnum() and len(name) <= 64 for name in told)
    assert told[3] == "look"
    provider.say(tool_calls=tuple((name, {}) for name in told))
    assert [each.name for each in ask(adapter, asked, way).tool_calls] == list(names)


def test_a_choice_that_is_no_tool_is_the_callers_mistake(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest
) -> None:
    error = failure(adapter, replace(question, tools=(LOOK,), tool_choice="lock"), "complete")
    assert (error.kind, provider.requests) == (ErrorKind.BAD_REQUEST, [])
    assert "tool_choice" in error.message


def test_a_tool_that_comes_twice_is_sent_once(sent: Any) -> None:
    later = Tool("look", "The later one.")
    assert [tool["description"] for tool in sent(tools=(LOOK, later)).body["tools"]] == ["The later one."]


def test_a_choice_without_tools_is_dropped(sent: Any) -> None:
    found = sent(tools=(), tool_choice="required")
    assert "tool_choice" not in found.body
    assert found.dropped == ["tool_choice"]


def test_a_tool_without_a_description_has_none(sent: Any) -> None:
    assert sent(tools=(Tool("now"),)).body["tools"] == [
        {"name": "now", "input_schema": {"type": "object", "properties": {}}}
    ]


# Settings


@pytest.mark.parametrize(
    ("asked", "told", "dropped"),
    [
        ({"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2}, ["top_p"]),
        ({"temperature": 0, "top_p": 1}, {"temperature": 0}, ["top_p"]),
        ({"temperature": 1.7}, {"temperature": 1}, []),
        ({"top_p": 0.5, "top_k": 7}, {"top_p": 0.5, "top_k": 7}, []),
        ({"seed": 7, "presence_penalty": 0.5}, {}, ["seed", "presence_penalty"]),
        ({"frequency_penalty": 0}, {}, ["frequency_penalty"]),
        ({"stop": (" ", "\n", "END")}, {"stop_sequences": ["END"]}, []),
        ({"stop": ("\n\n",)}, {}, ["stop"]),
    ],
)
def test_settings_are_fitted_and_what_is_dropped_is_told(
    sent: Any, asked: dict[str, Any], told: dict[str, Any], dropped: list[str]
) -> None:
    found = sent(model="claude-sonnet-4-5", **asked)
    names = {"temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "stop_sequences"}
    assert {name: value for name, value in found.body.items() if name in names} == told
    assert found.dropped == dropped


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-opus-5", "claude-sonnet-5-5", "claude-fable-5-1"])
def test_models_without_sampling_get_none(sent: Any, model: str) -> None:
    found = sent(model=model, temperature=0.5, top_p=0.5, top_k=5)
    assert found.body.keys().isdisjoint({"temperature", "top_p", "top_k"})
    assert found.dropped == ["temperature", "top_p", "top_k"]


# Thinking


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("claude-3-7-sonnet-latest", "high", {"type": "enabled", "budget_tokens": 16_384}),
        ("claude-sonnet-4-20250514", "minimal", {"type": "enabled", "budget_tokens": 1024}),
        ("claude-opus-4-5-20251101", "max", {"type": "enabled", "budget_tokens": 32_000}),
        ("claude-haiku-4-5", "xhigh", {"type": "enabled", "budget_tokens": 24_576}),
        ("claude-sonnet-4-6", "low", {"type": "adaptive"}),
        ("claude-opus-5-5", "high", {"type": "adaptive"}),
        ("claude-sonnet-4-5", "none", None),
        ("claude-opus-5-5", "none", None),
        ("claude-3-5-haiku-latest", "high", None),
        ("kimi-k3", "high", None),
    ],
)
def test_thinking_is_switched_on_as_the_model_wants_it(sent: Any, model: str, effort: str, thinking: Any) -> None:
    body = sent(model=model, effort=effort).body
    assert body.get("thinking") == thinking
    if thinking and "budget_tokens" in thinking:
        assert body["max_tokens"] > thinking["budget_tokens"]


@pytest.mark.parametrize(("limit", "budget"), [(2000, 1500), (100_000, 16_384), (1500, 1125)])
def test_the_budget_stays_within_the_limit(sent: Any, limit: int, budget: int) -> None:
    body = sent(model="claude-sonnet-4-5", effort="high", max_tokens=limit).body
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (limit, budget)


def test_where_the_limit_leaves_no_room_the_model_does_not_think(sent: Any) -> None:
    found = sent(model="claude-sonnet-4-5", effort="high", max_tokens=500)
    assert "thinking" not in found.body
    assert found.dropped == ["reasoning_effort"]


def test_thinking_goes_with_no_sampling(sent: Any) -> None:
    found = sent(model="claude-sonnet-4-5", effort="low", temperature=0.3, top_p=0.97, top_k=3)
    assert found.body["top_p"] == 0.97
    assert found.body.keys().isdisjoint({"temperature", "top_k"})
    assert found.dropped == ["temperature", "top_k"]


@pytest.mark.parametrize("choice", ["required", "look"])
@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-sonnet-4-6"])
def test_a_forced_call_goes_before_thinking(sent: Any, model: str, choice: str) -> None:
    body = sent(model=model, effort="high", tools=(LOOK,), tool_choice=choice, temperature=0.5).body
    assert "thinking" not in body
    assert body["temperature"] == 0.5


def test_with_a_budget_no_thinking_begins_within_the_use_of_tools(sent: Any) -> None:
    called = Message("assistant", tool_calls=(ToolCall("c", "look", "{}"),))
    messages = (turn("user", "Hi"), called, Message("tool", (TextPart("1"),), tool_call_id="c"))
    assert "thinking" not in sent(model="claude-sonnet-4-5", effort="high", messages=messages).body
    later = (*messages, turn("assistant", "One."), turn("user", "And now?"))
    assert "thinking" in sent(model="claude-sonnet-4-5", effort="high", messages=later).body
    assert "thinking" in sent(model="claude-opus-4-6", effort="high", messages=messages).body


@pytest.mark.parametrize(
    ("model", "effort", "told"),
    [
        ("claude-opus-4-5", "xhigh", "high"),
        ("claude-opus-4-8", "xhigh", "xhigh"),
        ("claude-opus-5-5", "max", "max"),
        ("claude-sonnet-4-6", "medium", "medium"),
        ("claude-sonnet-4-5", "medium", None),
    ],
)
def test_the_grade_is_one_that_the_model_knows(sent: Any, model: str, effort: str, told: str | None) -> None:
    assert sent(model=model, effort=effort).body.get("output_config", {}).get("effort") == told


# JSON


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("claude-opus-5-5", {"json_object": True}),
        ("claude-3-5-haiku-latest", {"json_schema": JsonSchema("a", {"type": "object", "title": "Shape"})}),
    ],
)
def test_json_is_asked_for_in_words_and_comes_without_its_fence(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, model: str, asked: dict[str, Any]
) -> None:
    provider.say(text='```json\n{"answer": 1}\n```')
    messages = (turn("system", "Be brief."), *question.messages)
    reply = ask(adapter, replace(question, model=model, messages=messages, **asked), way)
    assert json.loads(reply.text) == {"answer": 1}
    body = provider.requests[-1].json
    assert body["system"].startswith("Be brief.")
    assert "JSON" in body["system"]
    assert "output_config" not in body
    assert ("Shape" in body["system"]) is ("json_schema" in asked)


def test_a_schema_is_closed_for_claude(sent: Any) -> None:
    schema = JsonSchema("a", {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}})
    found = sent(model="claude-sonnet-4-5", json_schema=schema).body["output_config"]["format"]["schema"]
    assert found["additionalProperties"] is False
    assert found["properties"]["n"] == {"type": "integer", "description": "(maximum: 9)"}


# Documents


def test_documents_are_sent_as_such(sent: Any) -> None:
    parts = (
        FilePart("application/pdf", data="JVBERi0=", name="a.pdf"),
        FilePart("application/pdf", url="https://example.org/b.pdf"),
        FilePart("text/csv", text="a,b", name="c.csv"),
    )
    blocks = sent(messages=(Message("user", parts),)).body["messages"][0]["content"]
    assert blocks == [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "url", "url": "https://example.org/b.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}, "title": "c.csv"},
    ]


@pytest.mark.parametrize("part", [ImagePart("image/tiff", "AA=="), FilePart("application/zip", "AA==")])
def test_media_that_it_refuses_are_for_another_service(
    adapter: Adapter, provider: FakeProvider, question: ChatRequest, way: str, part: Any
) -> None:
    error = failure(adapter, replace(question, messages=(Message("user", (part,)),)), way)
    assert (error.kind, provider.requests) == (ErrorKind.UNSUPPORTED, [])
    assert part.media_type in error.message
