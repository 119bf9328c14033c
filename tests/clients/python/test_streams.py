"""Tasks as streams, with both clients."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from oxide_client import (
    AsyncOxide,
    ConnectionLostError,
    DeadlineError,
    NotFoundError,
    Oxide,
    ProviderError,
    UnexpectedAnswerError,
    error_of,
)
from oxide_client.streams import DoneEvent, TaskEvent, UsageEvent
from tests.clients.python.driving import Make
from tests.clients.python.scripted import Scripted, break_off, whole_stream
from tests.clients.python.shapes import misfits
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until

BEGUN = b'event: task\ndata: {"task_id": "t-1", "status": "running"}\n\n'
WORD = b'event: delta\ndata: {"text": "Hello"}\n\n'
DONE = b'event: done\ndata: {"task_id": "t-1", "status": "completed", "result": "Hello"}\n\n'


def text_of(events: list[Any]) -> str:
    return "".join(event.get("text", "") for event in events if event["type"] == "delta")


def status_of(oxide: Any, task_id: str) -> str:
    """Who hears a stream knows of its task before the history does."""
    try:
        return str(oxide.get_task(task_id)["status"])
    except NotFoundError:
        return ""


def test_a_stream_tells_task_pieces_usage_and_the_answer(oxide: Any) -> None:
    events = list(oxide.stream_task("What is quantum computing?"))
    kinds = [event["type"] for event in events]
    assert kinds == ["task", *["delta"] * (len(kinds) - 3), "usage", "done"]
    assert len(kinds) > 8
    assert text_of(events) == TEXT == events[-1]["result"]
    for event, kind in ((events[0], TaskEvent), (events[-2], UsageEvent), (events[-1], DoneEvent)):
        assert misfits(event, kind) == []


def test_each_piece_comes_before_the_next_is_there(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    with oxide.stream_task("Hello", service="first") as stream:
        assert next(stream)["type"] == "task"
        assert next(stream) == {"type": "delta", "text": "Quantum"}


def test_who_closes_a_stream_calls_its_task_off(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    with oxide.stream_task("Hello", service="first") as stream:
        next(stream), next(stream)
    wait_until(lambda: provider.hangups >= 1)
    wait_until(lambda: status_of(oxide, stream.task_id) == "cancelled")
    assert list(stream) == []


def test_a_task_that_is_called_off_ends_its_stream_with_what_there_is(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    with oxide.stream_task("Hello", service="first") as stream:
        next(stream)
        oxide.cancel_task(stream.task_id)
        rest = list(stream)
    assert (rest[-1]["type"], rest[-1]["status"], rest[-1]["result"]) == ("done", "cancelled", text_of(rest))


def test_a_failure_before_the_first_word_is_raised(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("status", status=500)
    with pytest.raises(ProviderError) as raised:
        list(oxide.stream_task("Hello"))
    assert [attempt["service"] for attempt in raised.value.attempts] == ["first", "second"]


def test_a_failure_after_it_is_the_last_event(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("truncate", service="first")
    events = list(oxide.stream_task("Hello", service="first"))
    last = events[-1]
    assert (last["type"], last["code"], last["task_id"]) == ("error", "PROVIDER_ERROR", events[0]["task_id"])
    assert type(error_of(last)) is ProviderError


def test_tools_are_called_in_pieces(oxide: Any, provider: FakeProvider) -> None:
    provider.say(text="", tool_calls=(("get_weather", {"city": "Oslo"}),))
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    calls = [event["tool_call"] for event in oxide.stream_task("Hello", tools=tools) if "tool_call" in event]
    assert calls[0]["name"] == "get_weather"
    assert "".join(call["arguments"] for call in calls) == '{"city": "Oslo"}'


def test_the_time_of_a_stream_runs_out_with_its_task_named(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    heard: list[Any] = []
    with pytest.raises(DeadlineError) as raised:
        heard.extend(oxide.stream_task("Hello", service="first", timeout=0.5))
    wait_until(lambda: status_of(oxide, raised.value.task_id or "") == "cancelled")


def test_a_connection_that_breaks_in_the_middle_names_the_task(make: Make) -> None:
    for answer in (break_off(BEGUN + WORD), whole_stream(BEGUN, WORD), whole_stream(BEGUN, WORD, chunked=False)):
        with Scripted(answer) as server:
            stream = make(server.url).stream_task("Hello")
            assert [next(stream)["type"], next(stream)["type"]] == ["task", "delta"]
            with pytest.raises(ConnectionLostError, match="history") as raised:
                next(stream)
            assert raised.value.task_id == "t-1"
            assert len(server.asked) == 1


def test_events_of_a_later_oxide_are_passed_over_and_nonsense_is_told(make: Make) -> None:
    with Scripted(whole_stream(BEGUN, b"event: later\ndata: 1\n\n: ping\n\n", DONE)) as server:
        assert [event["type"] for event in make(server.url).stream_task("Hello")] == ["task", "done"]
    nonsense = whole_stream(BEGUN, b"event: delta\ndata: oops\n\n")
    with Scripted(nonsense) as server, pytest.raises(UnexpectedAnswerError, match="proxies"):
        list(make(server.url).stream_task("Hello"))


@pytest.mark.parametrize("chunked", [True, False])
def test_pieces_come_at_once_through_old_proxies_too(make: Make, chunked: bool) -> None:
    letters = '{"text": "grün"}'.encode()
    pieces = [BEGUN, b"event: delta\ndata: " + letters[:13], letters[13:] + b"\n\n", DONE]
    with Scripted(whole_stream(*pieces, chunked=chunked)) as server:
        moments = [(time.monotonic(), event) for event in make(server.url).stream_task("Hello")]
    assert [event.get("text") for _, event in moments] == [None, "grün", None]
    assert moments[-1][0] - moments[0][0] > 0.03


def test_another_thread_ends_a_stream_that_waits(live: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    with Oxide(live.url) as oxide, oxide.stream_task("Hello", service="first") as stream:
        next(stream)
        ending = threading.Timer(0.3, stream.close)
        ending.start()
        assert all(event["type"] == "delta" for event in stream)
    wait_until(lambda: provider.hangups >= 1)
    provider.behave()
    provider.hangups = 0


def test_a_cancelled_coroutine_calls_its_task_off(live: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("hang", service="first")

    async def cancel_in_the_middle() -> None:
        async with AsyncOxide(live.url) as oxide:
            asked = asyncio.ensure_future(oxide.execute_task("Hello", service="first"))
            await asyncio.sleep(0.3)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

    asyncio.run(cancel_in_the_middle())
    wait_until(lambda: provider.hangups >= 1)
    provider.behave("first")
    provider.hangups = 0


def test_many_streams_at_once_over_one_client(live: LiveOxide) -> None:
    async def ask(oxide: AsyncOxide, number: int) -> str:
        return text_of([event async for event in oxide.stream_task(f"Number {number}", service="echo")])

    async def all_of_them() -> list[str]:
        async with AsyncOxide(live.url) as oxide:
            return await asyncio.gather(*(ask(oxide, number) for number in range(40)))

    assert asyncio.run(all_of_them()) == [f"Number {number}" for number in range(40)]
