"""The fake itself: what other tests rely on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from services.adapters.base import ChatRequest
from tests.fake_provider import TEXT, FakeProvider
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
