"""Event streams, sent as any ASGI server takes them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.http import HttpRequest
from django.urls import path
from pytest_django import Settings

from apikeys.decoding import BodyError
from oxide_project import errors, streams
from oxide_project.answers import Event
from oxide_project.handler import PooledHandler
from oxide_project.pool import Pool
from tasks.event_stream import EventStream
from tasks.reading import Piece
from tests.exchange import Exchange, until

PING = b": ping\n\n"


class Stage:
    """What the streams below do, for the test that runs."""

    def __init__(self) -> None:
        self.made = 0
        self.ended = threading.Event()
        self.go = threading.Event()


stage = Stage()


class Scripted(EventStream):
    """Says what its script says, in place of what becomes of a task."""

    script: Iterator[bytes]

    def __init__(self, script: Iterator[bytes]) -> None:
        self.script = script
        super().__init__(None)  # type: ignore[arg-type]  # there is no task

    def opening(self) -> bytes:
        self["X-Late"] = "told in the end"
        return b"opening "

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        raise NotImplementedError

    def closing(self) -> Iterator[bytes]:
        raise NotImplementedError

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        return f"complaint {status} {problem['code']}".encode()

    def _events(self) -> Iterator[bytes]:
        try:
            for chunk in self.script:
                stage.made += 1
                yield chunk
        finally:
            stage.ended.set()


def says(_request: HttpRequest) -> Scripted:
    return Scripted(iter([b"one ", b"two ", b"three"]))


def says_much(_request: HttpRequest) -> Scripted:
    return Scripted(b"x" * 1000 for _ in range(1000))


def says_nothing(_request: HttpRequest) -> Scripted:
    return Scripted(iter([]))


def fails_at_once(_request: HttpRequest) -> Scripted:
    answer = Scripted(failing())
    answer["X-From-Middleware"] = "kept"
    return answer


def fails_later(_request: HttpRequest) -> Scripted:
    return Scripted(failing(b"one "))


def breaks(_request: HttpRequest) -> Scripted:
    return Scripted(failing(b"one ", error=RuntimeError("a secret text")))


def waits(_request: HttpRequest) -> Scripted:
    return Scripted(waiting(iter([b"at last"])))


def waits_and_fails(_request: HttpRequest) -> Scripted:
    return Scripted(waiting(failing()))


def failing(*before: bytes, error: Exception | None = None) -> Iterator[bytes]:
    yield from before
    raise error or BodyError("It was not to be.")


def waiting(script: Iterator[bytes]) -> Iterator[bytes]:
    stage.go.wait(30)
    yield from script


handler404, handler400, handler500 = errors.not_found, errors.bad_request, errors.server_error
urlpatterns = [
    path(view.__name__, view)
    for view in (says, says_much, says_nothing, fails_at_once, fails_later, breaks, waits, waits_and_fails)
]


@pytest.fixture
def handler(settings: Settings) -> Iterator[PooledHandler]:
    global stage  # noqa: PLW0603 - the views have no other way to it
    stage = Stage()
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
    settings.ALLOWED_HOSTS = ["localhost"]
    pool = Pool(4, "worker")
    yield PooledHandler(pool, limit=3)
    stage.go.set()
    pool.stop()


def answer_of(handler: PooledHandler, address: str, **options: Any) -> Exchange:
    return asyncio.run(Exchange(address, **options).run(handler))


def test_events_are_sent_in_their_order_and_then_the_end(handler: PooledHandler) -> None:
    answer = answer_of(handler, "/says")
    assert answer.status == 200
    assert answer.content == b"opening one two three"
    assert answer.is_complete
    assert answer.header(b"content-type") == [b"text/event-stream; charset=utf-8"]
    assert answer.header(b"cache-control") == [b"no-cache, no-store, no-transform"]
    assert answer.header(b"x-accel-buffering") == [b"no"]


def test_headers_may_be_set_until_it_opens(handler: PooledHandler) -> None:
    assert answer_of(handler, "/says").header(b"x-late") == [b"told in the end"]


def test_a_stream_without_events_opens_and_ends(handler: PooledHandler) -> None:
    answer = answer_of(handler, "/says_nothing")
    assert (answer.status, answer.content, answer.is_complete) == (200, b"opening ", True)


def test_a_failure_before_the_first_event_is_an_error_like_any_other(handler: PooledHandler) -> None:
    answer = answer_of(handler, "/fails_at_once")
    assert (answer.status, answer.json["code"]) == (400, "VALIDATION_ERROR")
    assert answer.header(b"content-type") == [b"application/json"]
    assert answer.header(b"x-from-middleware") == [b"kept"]
    assert not answer.header(b"x-accel-buffering")
    assert answer.is_complete


def test_a_later_failure_is_told_in_the_stream(handler: PooledHandler) -> None:
    answer = answer_of(handler, "/fails_later")
    assert answer.status == 200
    assert answer.content == b"opening one complaint 400 VALIDATION_ERROR"
    assert answer.is_complete


def test_a_defect_is_told_without_its_text_and_logged(handler: PooledHandler, caplog: pytest.LogCaptureFixture) -> None:
    answer = answer_of(handler, "/breaks")
    assert answer.content == b"opening one complaint 500 INTERNAL_ERROR"
    assert "a secret text" in caplog.text


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HOLD_SECONDS", 0.05)
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.05)


def test_nothing_is_sent_while_nobody_has_said_anything(handler: PooledHandler) -> None:
    async def scenario() -> Exchange:
        request = Exchange("/waits")
        running = asyncio.ensure_future(request.run(handler))
        await asyncio.sleep(0.3)
        assert request.events == []
        stage.go.set()
        return await running

    assert asyncio.run(scenario()).content == b"opening at last"


@pytest.mark.usefixtures("impatient")
def test_after_a_while_it_opens_and_shows_that_it_lives(handler: PooledHandler) -> None:
    async def scenario() -> Exchange:
        request = Exchange("/waits")
        running = asyncio.ensure_future(request.run(handler))
        await until(lambda: len(request.events) >= 4)
        assert request.status == 200
        stage.go.set()
        return await running

    answer = asyncio.run(scenario())
    assert answer.content.startswith(b"opening " + PING + PING)
    assert answer.content.replace(PING, b"") == b"opening at last"


@pytest.mark.usefixtures("impatient")
def test_a_failure_after_that_is_told_in_the_stream(handler: PooledHandler) -> None:
    async def scenario() -> Exchange:
        request = Exchange("/waits_and_fails")
        running = asyncio.ensure_future(request.run(handler))
        await until(lambda: request.events)
        stage.go.set()
        return await running

    answer = asyncio.run(scenario())
    assert answer.status == 200
    assert answer.content.replace(PING, b"") == b"opening complaint 400 VALIDATION_ERROR"


def test_what_piles_up_goes_out_in_one_piece_and_no_more_than_a_window_of_it(handler: PooledHandler) -> None:
    async def scenario() -> tuple[Exchange, int]:
        may_go = asyncio.Event()

        async def took(event: Event) -> None:
            if event.get("body"):
                await may_go.wait()

        request = Exchange("/says_much", took=took)
        running = asyncio.ensure_future(request.run(handler))
        await until(lambda: stage.made * 1000 >= streams.WINDOW_BYTES)
        await asyncio.sleep(0.2)
        made = stage.made
        may_go.set()
        return await running, made

    answer, made = asyncio.run(scenario())
    assert made * 1000 <= streams.WINDOW_BYTES + 2000
    assert answer.content == b"opening " + b"x" * 1_000_000
    assert len([event for event in answer.events if event.get("body")]) < 500


def test_a_client_that_leaves_keeps_no_worker_waiting_and_the_task_is_read_to_its_end(handler: PooledHandler) -> None:
    async def scenario() -> None:
        never = asyncio.Event()

        async def took(event: Event) -> None:
            if event.get("body"):
                await never.wait()

        request = Exchange("/says_much", took=took)
        running = asyncio.ensure_future(request.run(handler))
        await until(lambda: stage.made * 1000 >= streams.WINDOW_BYTES)
        request.left.set()
        await until(stage.ended.is_set)
        await asyncio.wait_for(running, 10)

    asyncio.run(scenario())
    assert stage.made == 1000
