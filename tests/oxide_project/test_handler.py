"""The HTTP handler, driven as any ASGI server drives it."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from pytest_django import Settings
from rest_framework.request import Request as ApiRequest
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from oxide_project import errors
from oxide_project.answers import ABORT, Event
from oxide_project.handler import PooledHandler, Request
from oxide_project.pool import Pool
from tests.exchange import Exchange, until


class Stage:
    """What the views below do and see, for the test that runs."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()
        self.closed = threading.Event()
        self.made = 0
        self.threads: list[str] = []
        self.cancelled: bool | None = None


stage = Stage()


def whole(request: HttpRequest) -> HttpResponse:
    stage.threads.append(threading.current_thread().name)
    answer = JsonResponse({"method": request.method, "size": len(request.body), "query": request.GET.dict()})
    answer.set_cookie("flavour", "vanilla", httponly=True)
    answer.set_cookie("size", "large")
    return answer


def waits_for_cancel(request: Request) -> HttpResponse:
    stage.entered.set()
    stage.cancelled = request.cancel.wait(30)
    return HttpResponse("late")


def waits_for_go(_request: HttpRequest) -> HttpResponse:
    stage.entered.set()
    stage.go.wait(30)
    return HttpResponse("gone through")


def streams(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces(100))


def streams_and_breaks(_request: HttpRequest) -> StreamingHttpResponse:
    def broken() -> Iterator[bytes]:
        yield from pieces(2)
        raise RuntimeError("a secret text")

    return StreamingHttpResponse(broken())


def pieces(number: int) -> Iterator[bytes]:
    try:
        for i in range(number):
            stage.made = i + 1
            yield b"%d " % i
    finally:
        stage.closed.set()


def passes(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"session": hasattr(request, "session")})


def fails(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret text")


class ByView(APIView):
    permission_classes = ()

    def get(self, _request: ApiRequest) -> HttpResponse:
        return HttpResponse("whole")


class ByViewSet(ViewSet):
    permission_classes = ()

    def list(self, _request: ApiRequest) -> Response:
        return Response({"whole": True})


handler404, handler400, handler500 = errors.not_found, errors.bad_request, errors.server_error
urlpatterns = [
    path(view.__name__, view) for view in (whole, waits_for_cancel, waits_for_go, streams, streams_and_breaks, fails)
] + [
    path("api/passes", passes),
    path("passes", passes),
    path("by_view", ByView.as_view()),
    path("by_viewset", ByViewSet.as_view({"get": "list"})),
]


@pytest.fixture
def handler(settings: Settings) -> Iterator[PooledHandler]:
    global stage  # noqa: PLW0603 - the views have no other way to it
    stage = Stage()
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["monitoring.probes.middleware", "django.middleware.common.CommonMiddleware"]
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.MAX_BODY_BYTES = 100_000
    pool = Pool(4, "worker")
    yield PooledHandler(pool, limit=2)
    stage.go.set()
    pool.stop()


def test_a_whole_answer_with_cookies(handler: PooledHandler) -> None:
    answer = asyncio.run(Exchange("/whole", "POST", b"a=1&b=%C3%A9", body=[b"12345"]).run(handler))
    assert answer.status == 200
    assert answer.json == {"method": "POST", "size": 5, "query": {"a": "1", "b": "é"}}
    assert answer.header(b"content-type") == [b"application/json"]
    assert answer.header(b"set-cookie") == [b"flavour=vanilla; HttpOnly; Path=/", b"size=large; Path=/"]
    assert answer.is_complete


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_request_stays_in_memory_for_the_garbage_collector(handler: PooledHandler) -> None:
    gc.collect()
    gc.disable()
    try:
        before = held()
        for path in ("/by_view", "/by_viewset"):
            assert asyncio.run(Exchange(path).run(handler)).status == 200
        assert held() <= before
    finally:
        gc.enable()


def held() -> set[int]:
    """What there is of requests and answers, those of other tests among it."""
    return {id(thing) for thing in gc.get_objects() if issubclass(type(thing), Request | APIView | Response)}


@pytest.mark.parametrize(
    ("path", "headers", "has_session"),
    [
        ("/api/passes", [], False),
        ("/api/passes", [(b"cookie", b"sessionid=x")], True),
        ("/passes", [], True),
    ],
)
def test_programs_have_no_session_and_whoever_brings_a_cookie_has(
    settings: Settings, path: str, headers: list[tuple[bytes, bytes]], has_session: bool
) -> None:
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
    settings.PROGRAM_MIDDLEWARE = []
    pool = Pool(1, "worker")
    answer = asyncio.run(Exchange(path, headers=headers).run(PooledHandler(pool, limit=1)))
    pool.stop()
    assert answer.json == {"session": has_session}


def test_a_body_may_come_in_pieces(handler: PooledHandler) -> None:
    answer = asyncio.run(Exchange("/whole", "POST", body=[b"x" * 30_000] * 3).run(handler))
    assert answer.json["size"] == 90_000


def test_a_body_that_is_too_large_is_refused_before_it_is_all_there(handler: PooledHandler) -> None:
    sent = Exchange("/whole", "POST", body=[b"x" * 10_000] * 1000)
    answer = asyncio.run(sent.run(handler))
    assert (answer.status, answer.json["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert sent.received == 11
    assert not stage.threads


def test_a_client_that_leaves_while_it_sends_starts_nothing(handler: PooledHandler) -> None:
    async def scenario() -> Exchange:
        sent = Exchange("/whole", "POST")

        async def receive() -> Event:
            sent.received += 1
            if sent.received < 3:
                return {"type": "http.request", "body": b"x", "more_body": True}
            return {"type": "http.disconnect"}

        await handler(sent.scope, receive, sent.send)
        return sent

    assert not asyncio.run(scenario()).events
    assert not stage.threads


def test_view_and_signals_run_on_one_worker(handler: PooledHandler) -> None:
    def note(**_: Any) -> None:
        stage.threads.append(threading.current_thread().name)

    request_started.connect(note)
    request_finished.connect(note)
    try:
        asyncio.run(Exchange("/whole").run(handler))
    finally:
        request_started.disconnect(note)
        request_finished.disconnect(note)
    assert len(stage.threads) == 3
    assert len(set(stage.threads)) == 1
    assert stage.threads[0].startswith("worker")


def test_a_stream_does_not_run_ahead_of_a_slow_reader(handler: PooledHandler) -> None:
    ahead: list[int] = []

    async def took(event: Event) -> None:
        if event.get("body"):
            await asyncio.sleep(0.001)
            ahead.append(stage.made - len(ahead))

    answer = asyncio.run(Exchange("/streams", took=took).run(handler))
    assert ahead == [1] * 100
    assert answer.content == b"".join(b"%d " % i for i in range(100))
    assert answer.is_complete


def test_a_client_that_leaves_cancels_its_request(handler: PooledHandler) -> None:
    async def scenario() -> None:
        request = Exchange("/waits_for_cancel")
        running = asyncio.ensure_future(request.run(handler))
        await until(stage.entered.is_set)
        request.left.set()
        await running

    asyncio.run(scenario())
    assert stage.cancelled


def test_a_server_that_stops_cancels_its_requests(handler: PooledHandler) -> None:
    async def scenario() -> None:
        running = asyncio.ensure_future(Exchange("/waits_for_cancel").run(handler))
        await until(stage.entered.is_set)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: stage.cancelled)

    asyncio.run(scenario())


@pytest.mark.parametrize("stops", [False, True])
def test_a_stream_ends_when_its_reader_is_gone(handler: PooledHandler, stops: bool) -> None:
    async def scenario() -> None:
        taken = asyncio.Event()

        async def took(event: Event) -> None:
            if event.get("body"):
                taken.set()
                await asyncio.Event().wait()  # it reads no more

        request = Exchange("/streams", took=took)
        running = asyncio.ensure_future(request.run(handler))
        await taken.wait()
        if stops:
            running.cancel()
        else:
            request.left.set()
        await until(stage.closed.is_set)
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())
    assert stage.made == 1


def test_more_requests_than_there_are_threads_are_refused_at_once(handler: PooledHandler) -> None:
    async def scenario() -> tuple[list[Exchange], Exchange, Exchange]:
        running = [asyncio.ensure_future(Exchange("/waits_for_go").run(handler)) for _ in range(2)]
        await until(stage.entered.is_set)
        refused = await Exchange("/whole").run(handler)
        assert not any(request.done() for request in running)
        stage.go.set()
        done = list(await asyncio.gather(*running))
        return done, refused, await Exchange("/whole").run(handler)

    done, refused, afterwards = asyncio.run(scenario())
    assert (refused.status, refused.json["code"]) == (503, "SERVICE_BUSY")
    assert refused.header(b"retry-after") == [b"1"]
    assert [request.status for request in done] == [200, 200]
    assert afterwards.status == 200


def test_a_probe_is_answered_though_every_thread_is_taken(handler: PooledHandler) -> None:
    async def scenario() -> Exchange:
        running = [asyncio.ensure_future(Exchange("/waits_for_go").run(handler)) for _ in range(2)]
        await until(stage.entered.is_set)
        probe = await asyncio.wait_for(Exchange("/health").run(handler), 10)
        stage.go.set()
        await asyncio.gather(*running)
        return probe

    assert asyncio.run(scenario()).status == 200


def test_a_thread_counts_until_it_is_free_even_where_nobody_waits(handler: PooledHandler) -> None:
    async def scenario() -> tuple[int, int]:
        requests = [Exchange("/waits_for_go") for _ in range(2)]
        running = [asyncio.ensure_future(request.run(handler)) for request in requests]
        await until(stage.entered.is_set)
        for request in requests:
            request.left.set()
        await asyncio.sleep(0.1)
        for task in running:
            task.cancel()  # as daphne does some time after
        await asyncio.gather(*running, return_exceptions=True)
        busy = await Exchange("/whole").run(handler)
        stage.go.set()
        await asyncio.sleep(0.2)
        return busy.status, (await Exchange("/whole").run(handler)).status

    assert asyncio.run(scenario()) == (503, 200)


def test_an_exception_in_a_view_is_a_json_answer(handler: PooledHandler) -> None:
    answer = asyncio.run(Exchange("/fails").run(handler))
    assert (answer.status, answer.header(b"content-type")) == (500, [b"application/json"])
    assert b"secret" not in answer.content


def test_an_exception_around_a_view_is_a_json_answer(handler: PooledHandler, caplog: pytest.LogCaptureFixture) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("a secret text")

    request_started.connect(fail)
    try:
        answer = asyncio.run(Exchange("/whole").run(handler))
    finally:
        request_started.disconnect(fail)
    assert (answer.status, answer.json["code"]) == (500, "INTERNAL_ERROR")
    assert b"secret" not in answer.content
    assert "a secret text" in caplog.text


def test_a_stream_that_breaks_is_broken_off(handler: PooledHandler, caplog: pytest.LogCaptureFixture) -> None:
    answer = asyncio.run(Exchange("/streams_and_breaks").run(handler))
    assert answer.content == b"0 1 "
    assert not answer.is_complete
    assert answer.events[-1]["type"] == ABORT
    assert "A streamed answer broke off." in caplog.text


def test_nothing_escapes_where_the_server_cannot_send(handler: PooledHandler, caplog: pytest.LogCaptureFixture) -> None:
    async def took(event: Event) -> None:
        if event["type"] != ABORT:
            raise ValueError("The server does not like it.")

    with caplog.at_level(logging.ERROR):
        answer = asyncio.run(Exchange("/whole", took=took).run(handler))
    assert [event["type"] for event in answer.events] == [ABORT]
    assert "/whole broke off." in caplog.text


@pytest.mark.parametrize(
    ("request_path", "query", "content_type"),
    [
        ("/whole\0", b"", b""),
        ("/whole", b"a=%00", b""),
        ("/whole", b"a=\xff", b""),
        ("/whole", b"", b"text/plain; charset*=no-such-encoding''%41"),
    ],
)
def test_what_cannot_be_decoded_is_refused(
    handler: PooledHandler, request_path: str, query: bytes, content_type: bytes
) -> None:
    request = Exchange(request_path, query=query, headers=[(b"content-type", content_type)])
    answer = asyncio.run(request.run(handler))
    assert (answer.status, answer.json["code"]) == (400, "VALIDATION_ERROR")
    assert not stage.threads


def test_an_unknown_address_and_a_foreign_host_are_json(handler: PooledHandler) -> None:
    assert asyncio.run(Exchange("/nowhere").run(handler)).json["code"] == "NOT_FOUND"
    foreign = asyncio.run(Exchange("/whole", headers=[(b"host", b"evil.example")]).run(handler))
    assert foreign.status == 400
