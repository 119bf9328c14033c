"""The Responses API through OpenAI's own SDK."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.fake_provider import TEXT, FakeProvider, Tokens
from tests.journeys.sdks.conftest import KINDS
from tests.live import LiveOxide

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
    provider.say(finish="length")
    response = client.responses.create(model="openai", input="Go on.", max_output_tokens=5)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    stream = client.responses.create(model="openai", input="Go on.", stream=True)
    assert list(stream)[-1].type == "response.incomplete"


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
