"""Live events with both clients, from an Oxide that comes and goes."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from oxide_client import (
    AsyncOxide,
    ConnectionFailedError,
    ForbiddenError,
    LiveEvent,
    Oxide,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from oxide_client.answers import Metrics
from oxide_client.live import (
    Line,
    ServiceStatusEvent,
    SnapshotEvent,
    TaskDeltaEvent,
    TaskProgressEvent,
)
from tests.clients.python.driving import Make, clients, spoil
from tests.clients.python.scripted import Scripted, raw
from tests.clients.python.shapes import misfits
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide, free_port


def hear(events: Any, kind: str, **what: Any) -> Any:
    """The next event of a kind, with just these values."""
    deadline = time.monotonic() + 30
    for event in events:
        if event["type"] == kind and what.items() <= event.items():
            return event
        assert time.monotonic() < deadline, f"No {kind} came."
    raise AssertionError("The events ended.")


def test_services_tasks_and_figures_are_heard_in_their_shapes(oxide: Any) -> None:
    with oxide.events() as events:
        assert misfits(hear(events, "snapshot"), SnapshotEvent) == []
        events.ping()
        assert hear(events, "pong") == {"type": "pong"}
        task_id = oxide.execute_task("Hello")["task_id"]
        ended = hear(events, "task_progress", task_id=task_id, status="completed")
        assert misfits(ended, TaskProgressEvent) == []
        oxide.disable_service("second")
        switched = hear(events, "service_status", service="second", data={"healthy": False, "enabled": False})
        assert misfits(switched, ServiceStatusEvent) == []
        oxide.enable_service("second")


def test_the_text_of_a_followed_task_is_heard_and_of_no_other(oxide: Any, provider: FakeProvider) -> None:
    provider.pace(0.05)
    with oxide.events(topics=()) as events:
        hear(events, "subscribed", topics=[])
        other = oxide.execute_task("Hello", background=True)["task_id"]
        task_id = oxide.execute_task("Hello", background=True)["task_id"]
        events.subscribe(task_id=task_id)
        answer, about = "", set()
        for event in events:
            about |= {event["task_id"]} if "task_id" in event else set()
            if event["type"] == "task_delta":
                assert misfits(event, TaskDeltaEvent) == []
                answer = answer[: event["offset"]] + event["text"]
            if event["type"] == "task_progress" and event["progress"] == 100:
                break
    assert (answer, about) == (TEXT, {task_id})
    oxide.wait_for_task(other)


def test_one_topic_alone_is_subscribed_to_and_another_is_left(oxide: Any) -> None:
    with oxide.events(topics=["tasks"]) as events:
        hear(events, "subscribed", topics=["tasks"])
        events.subscribe(topics=["services"])
        hear(events, "subscribed", topics=["services", "tasks"])
        events.unsubscribe(topics=["tasks"])
        assert hear(events, "subscribed")["topics"] == ["services"]
    with pytest.raises(ValueError, match="metrics, services, tasks"):
        oxide.events(topics=["weather"])


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_after_a_crash_it_is_connected_again_and_subscribed_as_before(
    kind: str, tmp_path: Any, provider: FakeProvider
) -> None:
    live, port = LiveOxide(tmp_path), str(free_port())
    live.declare("slow", provider.base_url("openai", service="slow"), api="openai").start("--port", port)
    try:
        with clients(kind) as make, make(live.url).events(topics=["tasks"]) as events:
            hear(events, "snapshot")
            live.kill()
            lost = hear(events, "reconnecting")
            assert (lost["attempt"], 0 < lost["retry_in"] <= 1) == (1, True)
            again = threading.Thread(target=live.start, args=("--port", port))
            again.start()
            assert hear(events, "reconnected")["attempts"] >= 1
            again.join()
            heard = list(itertools.takewhile(lambda event: event["type"] != "subscribed", events))
            assert [event["type"] for event in heard] in ([], ["snapshot"])
            task_id = live.execute(service="echo").json()["task_id"]
            hear(events, "task_progress", task_id=task_id)
    finally:
        live.kill()


def test_where_nobody_answers_entering_says_so(make: Make) -> None:
    with pytest.raises(ConnectionFailedError, match="Start it"), make(f"http://127.0.0.1:{free_port()}").events():
        pass
    for status, error in ((404, UnexpectedAnswerError), (503, ConnectionFailedError)):
        with Scripted(raw(status, b"")) as server, pytest.raises(error, match=str(status)), make(server.url).events():
            pass


def test_another_thread_ends_the_events(live: LiveOxide) -> None:
    with Oxide(live.url) as oxide, oxide.events(topics=()) as events:
        threading.Timer(0.3, events.close).start()
        assert {event["type"] for event in events} <= {"snapshot", "subscribed"}


@contextmanager
def ending(*codes: int) -> Iterator[str]:
    """A server that ends each connection with the next of these codes, and then every one with the last."""
    left = list(codes)

    def end(connection: ServerConnection) -> None:
        connection.send('{"type": "pong"}')
        connection.close(left.pop(0) if len(left) > 1 else left[0], "ended by a test")

    with serve(end, "127.0.0.1", 0, subprotocols=[Subprotocol("oxide")]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"


def test_an_end_that_may_pass_is_told_and_another_is_raised(make: Make) -> None:
    with ending(1012, 4403) as url, make(url).events() as events:
        assert hear(events, "pong")
        assert hear(events, "reconnecting")["reason"] == "ended by a test"
        assert hear(events, "reconnected") == {"type": "reconnected", "attempts": 1}
        with pytest.raises(ForbiddenError, match="4403"):
            hear(events, "reconnecting")
        assert list(events) == []


def test_events_that_wait_to_connect_again_can_be_ended_as_well() -> None:
    async def end_in_the_pause(url: str) -> list[LiveEvent]:
        async with AsyncOxide(url) as oxide, oxide.events() as events:
            while (await anext(events))["type"] != "reconnecting":
                pass
            events._pause = 600
            asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(events.close()))
            return [event async for event in events]

    with ending(1012) as url:
        with Oxide(url) as oxide, oxide.events() as events:
            hear(events, "reconnecting")
            events._pause = 600
            threading.Timer(0.1, events.close).start()
            assert list(events) == []
        assert asyncio.run(end_in_the_pause(url)) == []


def test_a_pause_grows_until_a_message_comes() -> None:
    line = Line((), ())
    pauses = [line.lost("gone")["retry_in"] for _ in range(10)]
    assert pauses[0] <= 1 < pauses[-1] <= 30
    line.settled()
    assert line.lost("gone")["attempt"] == 1


@pytest.mark.parametrize(
    ("code", "is_final"), [(1006, False), (1012, False), (1013, False), (1008, True), (4403, True)]
)
def test_an_end_that_would_come_again_is_final(code: int, is_final: bool) -> None:
    line = Line((), ())
    line.read('{"type": "error", "code": "FORBIDDEN", "detail": "Ask an administrator."}')
    end = line.end_of(code, "")
    assert (end is not None) is is_final
    assert end is None or "Ask an administrator." in str(end)


def test_a_login_is_shown_to_the_events_and_renewed_where_it_has_ended(make: Make, guarded: LiveOxide) -> None:
    oxide = make(guarded.url)
    oxide.login("admin", guarded.admin_password)
    with oxide.events() as events:
        assert misfits(hear(events, "snapshot")["data"]["metrics"], Metrics) == []
    spoil(oxide)
    with oxide.events() as events:
        hear(events, "reconnecting")
        hear(events, "reconnected")
        hear(events, "snapshot")


def test_a_token_that_nobody_knows_ends_the_events(make: Make, guarded: LiveOxide) -> None:
    with make(guarded.url, "ox-nobody").events() as events, pytest.raises(UnauthorizedError, match="4401"):
        hear(events, "snapshot")
