"""LangChain's OpenAI integration against Oxide."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.fake_dialects import vector_of
from tests.fake_provider import TEXT, FakeProvider
from tests.journeys.sdks.conftest import KINDS
from tests.live import LiveOxide


class City(BaseModel):
    """A city."""

    name: str


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}"


def model_of(oxide: LiveOxide, kind: str, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model=kind, base_url=f"{oxide.url}/v1", api_key=SecretStr("any"), max_retries=0, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
def test_asked_and_streamed(oxide: LiveOxide, kind: str, responses: bool) -> None:
    model = model_of(oxide, kind, use_responses_api=responses)
    answer = model.invoke("What is quantum computing?")
    assert answer.text == TEXT
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 27
    assert "".join(chunk.text for chunk in model.stream("What is quantum computing?")) == TEXT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
def test_tools(oxide: LiveOxide, provider: FakeProvider, kind: str, responses: bool) -> None:
    model = model_of(oxide, kind, use_responses_api=responses).bind_tools([get_weather])
    provider.say(text="", tool_calls=(("get_weather", {"city": "Oslo"}),))
    first = model.invoke("Weather?")
    (call,) = first.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Oslo"})
    provider.say()
    result: ToolMessage = get_weather.invoke(call)
    assert model.invoke([HumanMessage("Weather?"), first, result]).text == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_structured_output(oxide: LiveOxide, provider: FakeProvider, kind: str) -> None:
    provider.say(text='{"name": "Oslo"}')
    found = model_of(oxide, kind).with_structured_output(City, method="json_schema").invoke("Which city?")
    assert found == City(name="Oslo")


def test_a_batch_and_asynchronously(oxide: LiveOxide) -> None:
    model = model_of(oxide, "auto")
    assert [answer.text for answer in model.batch(["a", "b", "c"])] == [TEXT] * 3

    async def scenario() -> str:
        return "".join([chunk.text async for chunk in model.astream("d")])

    assert asyncio.run(scenario()) == TEXT


def test_a_prompt_that_is_too_long_is_told_apart(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("refuse", why="context")
    with pytest.raises(openai.BadRequestError, match="context") as caught:
        model_of(oxide, "openai").invoke("x")
    assert caught.value.code == "context_length_exceeded"


def test_embeddings(oxide: LiveOxide) -> None:
    # Without counting tokens itself, for which it would fetch a table from elsewhere.
    embeddings = OpenAIEmbeddings(
        model="openai/alpha",
        base_url=f"{oxide.url}/v1",
        api_key=SecretStr("any"),
        check_embedding_ctx_length=False,
    )
    assert embeddings.embed_documents(["quantum", "computing"]) == [vector_of("quantum"), vector_of("computing")]
    assert embeddings.embed_query("quantum") == vector_of("quantum")
