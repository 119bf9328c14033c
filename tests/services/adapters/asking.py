"""Asking an adapter, for the tests of all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from services.adapters.assembly import Assembly
from services.adapters.base import Adapter, ChatRequest, Finish, ProviderError, Reply, StreamEvent, Verbatim
from services.adapters.call import Call
from tests import canary

KEY = canary.provider_key()

MakeAdapter = Callable[..., Adapter]


def call(seconds: float = 20) -> Call:
    return Call.within(seconds)


def ask(adapter: Adapter, request: ChatRequest, way: str, limits: Call | None = None) -> Reply:
    """Ask in one of two ways, "complete" or "stream"."""
    limits = limits or call()
    return adapter.complete(request, limits) if way == "complete" else assembled(adapter.stream(request, limits))


def assembled(events: Iterator[StreamEvent]) -> Reply:
    """A stream as the reply that it adds up to; its last event must be its only `Finish`."""
    *deltas, finish = events
    assert isinstance(finish, Finish)
    answer = Assembly()
    for delta in deltas:
        assert not isinstance(delta, Finish)
        for each in delta.deltas if isinstance(delta, Verbatim) else (delta,):
            answer.add(each)
    return answer.reply(model=finish.model, finish_reason=finish.reason, usage=finish.usage)


def failure(adapter: Adapter, request: ChatRequest, way: str, limits: Call | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(adapter, request, way, limits)
    assert len(caught.value.message) <= 500
    return caught.value


def without_ids(reply: Reply) -> Reply:
    return replace(reply, tool_calls=tuple(replace(each, id="") for each in reply.tool_calls))


def eventually(condition: Callable[[], object], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())
