"""The Responses API through OpenAI's own SDK."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.fake_provider import TEXT, FakeProvider, Tokens
from tests.journeys.sdks.conftest import KINDS
from tests.live import LiveOxide
from tests.sse import events

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class City(BaseModel):
    name: str


@pytest.fixture
def client(oxide: LiveOxide) -> OpenAI:
    return OpenAI(base_url=f"{oxide.url}/v1", api_key="any", max_retries=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_response(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(tokens=Tokens(100, 15, cached=30))
    response = client.responses.create(model=kind, input="What is it?", instructions="Be brief.", metadata={"a": "b"})
    assert (response.output_text, response.status, response.object) == (TEXT, "completed", "response")
    assert (response.instructions, response.metadata) == ("Be brief.", {"a": "b"})
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (100, 15)
    if kind != "ollama":
        assert response.usage.input_tokens_details.cached_tokens == 30
    assert "Be brief." in json.dumps(provider.last_call().json)


@pytest.mark.parametrize("kind", KINDS)
def test_a_streamed_response(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}),))
    with client.responses.stream(model=kind, input="What is it?", tools=[WEATHER]) as stream:
        heard = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in heard] == list(range(len(heard)))
    assert [event.type for event in heard[:2]] == ["response.created", "response.in_progress"]
    assert heard[-1].type == "response.completed"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.output_text == TEXT
    call = final.output[2]
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Oslo"})
    added = [event.output_index for event in heard if event.type == "response.output_item.added"]
    done = [event.output_index for event in heard if event.type == "response.output_item.done"]
    assert added == done == [0, 1, 2]
    text = "".join(event.delta for event in heard if event.type == "response.output_text.delta")
    thoughts = "".join(event.delta for event in heard if event.type == "response.reasoning_text.delta")
    assert (text, thoughts) == (TEXT, "Let me think.")


@pytest.mark.parametrize("kind", KINDS)
def test_tools_over_two_turns(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(text="Let me see.", tool_calls=(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rom"})))
    first = client.responses.create(model=kind, input="Weather?", tools=[WEATHER], parallel_tool_calls=True)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == ["Oslo", "Rom"]
    provider.say()
    turns: list[Any] = [{"role": "user", "content": "Weather?"}]
    turns += [item.model_dump(exclude_none=True) for item in first.output]
    turns += [{"type": "function_call_output", "call_id": call.call_id, "output": "Rain"} for call in calls]
    assert client.responses.create(model=kind, input=turns, tools=[WEATHER]).output_text == TEXT
    sent = provider.last_call().json
    turns_sent = sent.get("messages") or sent["contents"]
    assert len([turn for turn in turns_sent if turn["role"] in ("assistant", "model")]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_structured_output(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(text='{"name": "Oslo"}')
    assert client.responses.parse(model=kind, input="Which?", text_format=City).output_parsed == City(name="Oslo")


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    picture = {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PIXEL}"}
    turns: Any = [{"role": "user", "content": [{"type": "input_text", "text": "What?"}, picture]}]
    assert client.responses.create(model=kind, input=turns).output_text == TEXT
    assert PIXEL in json.dumps(provider.last_call().json)


def test_an_answer_that_was_cut_off_is_incomplete(client: OpenAI, provider: FakeProvider) -> None:
    provider.say(reasoning="Let me think.", finish="length")
    response = client.responses.create(model="openai", input="Go on.", max_output_tokens=5)
    *events, last = client.responses.create(model="openai", input="Go on.", stream=True)
    assert last.type == "response.incomplete"
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert done == last.response.output
    for each in (response, last.response):
        assert (each.status, each.completed_at) == ("incomplete", None)
        assert each.incomplete_details is not None
        assert each.incomplete_details.reason == "max_output_tokens"
        statuses = [item.status for item in each.output if item.type in ("reasoning", "message")]
        assert statuses == ["completed", "incomplete"]
        assert each.output_text == TEXT


# What the specification names as required: https://www.openresponses.org/reference
REQUIRED = {
    "id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id",
    "instructions", "output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p",
    "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "usage", "max_output_tokens",
    "max_tool_calls", "store", "background", "service_tier", "metadata", "safety_identifier", "prompt_cache_key",
}  # fmt: skip
SENT: dict[str, Any] = {
    "instructions": "Be brief.",
    "max_output_tokens": 500,
    "max_tool_calls": 3,
    "metadata": {"a": "b"},
    "parallel_tool_calls": False,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
    "prompt_cache_key": "session-1",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "user-1",
    "service_tier": "flex",
    "store": False,
    "temperature": 0,
    "text": {"format": {"type": "text"}, "verbosity": "low"},
    "tool_choice": {"type": "function", "name": "get_weather"},
    "tools": [WEATHER],
    "top_logprobs": 5,
    "top_p": 0.5,
    "truncation": "auto",
    "user": "ada",
}
DEFAULTS: dict[str, Any] = {
    "background": False,
    "error": None,
    "frequency_penalty": 0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1,
    "truncation": "disabled",
    "user": None,
}


def responses_of(oxide: LiveOxide, **body: Any) -> list[dict[str, Any]]:
    """The same response, whole and from each event of a stream that holds one; every event is valid to the SDK."""
    asked = {"model": "openai", "input": "What is it?", **body}
    whole = oxide.post("/v1/responses", json=asked).json()
    streamed = [data for _, data in events(oxide.post("/v1/responses", json=asked | {"stream": True}).iter_lines())]
    for event in streamed:
        TypeAdapter(ResponseStreamEvent).validate_python(event)
    assert [event["sequence_number"] for event in streamed] == list(range(len(streamed)))
    return [whole, *(event["response"] for event in streamed if "response" in event)]


@pytest.mark.parametrize(("sent", "expected"), [({}, DEFAULTS), (SENT, DEFAULTS | SENT)], ids=["nothing", "everything"])
def test_every_response_has_all_that_open_responses_requires_and_says_what_was_asked(
    oxide: LiveOxide, sent: dict[str, Any], expected: dict[str, Any]
) -> None:
    for response in responses_of(oxide, **sent):
        assert response.keys() >= REQUIRED
        Response.model_validate(response)
        assert {name: response[name] for name in expected} == expected
        numbers = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
        assert all(isinstance(response[name], int | float) for name in numbers)
        is_whole = response["status"] == "completed"
        assert isinstance(response["completed_at"], int) == is_whole
        assert isinstance(response["created_at"], int)
        assert (response["usage"] is not None) == is_whole
        if is_whole:
            assert response["completed_at"] >= response["created_at"]
            assert {"cached_tokens"} <= response["usage"]["input_tokens_details"].keys()
            assert {"reasoning_tokens"} <= response["usage"]["output_tokens_details"].keys()


def test_odd_values_of_what_is_only_said_again_do_no_harm(oxide: LiveOxide) -> None:
    odd = {"top_logprobs": "many", "max_tool_calls": True, "service_tier": 7, "safety_identifier": [], "truncation": {}}
    for response in responses_of(oxide, **odd):
        assert {name: response[name] for name in odd} == {name: DEFAULTS[name] for name in odd}


def test_penalties_reach_the_provider(client: OpenAI, provider: FakeProvider) -> None:
    more: Any = {"presence_penalty": 0.5, "frequency_penalty": 0.25}
    client.responses.create(model="openai", input="x", extra_body=more)
    assert more.items() <= provider.last_call().json.items()


@pytest.mark.parametrize("kind", ["openai", "ollama", "anthropic"])
def test_thoughts_are_told_as_a_summary_too(client: OpenAI, provider: FakeProvider, kind: str) -> None:
    provider.say(reasoning="Let me think about it.")
    whole = client.responses.create(model=kind, input="What is it?").output[0]
    streamed = list(client.responses.create(model=kind, input="What is it?", stream=True))
    done = next(event.item for event in streamed if event.type == "response.output_item.done")
    for item in (whole, done):
        assert item.type == "reasoning"
        assert [part.text for part in item.summary] == ["Let me think about it."]
    kinds = [event.type for event in streamed if "reasoning_summary" in event.type]
    assert kinds[0] == "response.reasoning_summary_part.added"
    assert kinds[-2:] == ["response.reasoning_summary_text.done", "response.reasoning_summary_part.done"]
    text = "".join(event.delta for event in streamed if event.type == "response.reasoning_summary_text.delta")
    assert text == "Let me think about it."
    ids = {event.item_id for event in streamed if "reasoning" in event.type}  # type: ignore[union-attr]
    assert ids == {done.id}


def test_as_a_coding_agent_asks(client: OpenAI, provider: FakeProvider) -> None:
    turns: Any = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are in a sandbox."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": '{"cmd": "ls"}'},
        {"type": "function_call_output", "call_id": "c1", "output": '{"output": "README.md"}'},
    ]
    shell: Any = {"type": "function", "name": "shell", "parameters": {"type": "object"}, "strict": False}
    stream = client.responses.create(
        model="ollama",
        instructions="You are a coding agent.",
        input=turns,
        tools=[shell],
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="abc",
    )
    assert list(stream)[-1].type == "response.completed"
    roles = [message["role"] for message in provider.last_call("ollama").json["messages"]]
    assert roles == ["system", "system", "user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        ({"previous_response_id": "resp_1"}, "send all of its items"),
        ({"tools": [{"type": "web_search"}]}, "runs no tools itself"),
        ({"background": True}, "/api/tasks/execute/"),
        ({"input": []}, "input is empty"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "not 'item_reference'"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "keeps no files"),
        ({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}, "not 'input_video'"),
    ],
)
def test_what_it_cannot_do_is_told(client: OpenAI, more: dict[str, Any], advice: str) -> None:
    with pytest.raises(openai.BadRequestError, match=advice):
        client.responses.create(**{"model": "auto", "input": "x", **more})


def test_failures_before_and_after_the_first_word(client: OpenAI, provider: FakeProvider) -> None:
    provider.misbehave("status", status=500)
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model="openai", input="x", stream=True)
    provider.misbehave("truncate")
    last = list(client.responses.create(model="openai", input="x", stream=True))[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.message
