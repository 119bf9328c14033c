"""The fake itself: what other tests rely on."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.adapters.base import ChatRequest
from tests.fake_provider import DIALECTS, TEXT, FakeProvider
from tests.services.adapters.asking import MakeAdapter, ask


def test_it_takes_three_hundred_connections_at_once(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter = make_adapter("openai")
    provider.misbehave("slow", seconds=1)
    together = threading.Barrier(300)

    def one(_: int) -> str:
        together.wait(30)
        return ask(adapter, question, "complete").text

    with ThreadPoolExecutor(300) as pool:
        assert set(pool.map(one, range(300))) == {TEXT}
    assert provider.connections == 300


def test_services_of_one_kind_are_told_apart(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    first = make_adapter("openai", base_url=provider.base_url("openai", service="first"))
    second = make_adapter("openai", base_url=provider.base_url("openai", service="second"))
    provider.say("second", text="I am the second.")
    provider.misbehave("slow", service="first", seconds=0.1, times=1)
    assert ask(first, question, "complete").text == TEXT
    assert ask(second, question, "stream").text == "I am the second."
    assert [request.service for request in provider.requests] == ["first", "second"]
    assert len(provider.requests_to("second")) == 1


def test_a_stream_takes_its_pace(make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest) -> None:
    adapter = make_adapter("openai")
    provider.say(words=("Qu", "bits", "."))
    provider.pace(0.1)
    began = time.monotonic()
    assert ask(adapter, question, "stream").text == "Qubits."
    assert time.monotonic() - began > 0.3


def test_the_pace_of_one_service_is_its_own(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    provider.pace(60, service="slow")
    assert ask(make_adapter("openai"), question, "stream").text == TEXT


def test_hundreds_of_streams_keep_their_pace(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest
) -> None:
    adapter = make_adapter("openai")
    provider.say(words=("word ",) * 10)
    provider.pace(0.1)
    together = threading.Barrier(300)

    def one(_: int) -> str:
        together.wait(30)
        return ask(adapter, question, "stream").text

    with ThreadPoolExecutor(300) as pool:
        assert set(pool.map(one, range(300))) == {"word " * 10}
    assert len(provider.reported) == 300


@pytest.mark.parametrize("way", ["complete", "stream"])
@pytest.mark.parametrize("api", list(DIALECTS))
def test_an_answer_has_as_many_tokens_as_words(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, api: str, way: str
) -> None:
    provider.say(words=("to", "ken ") * 50)
    reply = ask(make_adapter(api), question, way)
    assert (reply.text, reply.usage.completion_tokens) == ("token " * 50, 100)
    assert [tokens.completion for _, tokens in provider.reported] == [100]
