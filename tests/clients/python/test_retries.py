"""What is repeated and what is not, and that time is kept."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oxide_client import (
    ConnectionFailedError,
    ConnectionLostError,
    DeadlineError,
    OxideError,
    RateLimitError,
    Retries,
    ServiceBusyError,
    ServiceUnavailableError,
)
from oxide_client.retries import backoff
from tests.clients.python.driving import Make
from tests.clients.python.scripted import (
    Scripted,
    break_off,
    error,
    hang_up,
    json_answer,
    raw,
    silence,
    trickle,
    trickle_head,
)
from tests.live import free_port

DONE = json_answer(200, {"task_id": "t-1", "status": "completed", "result": "ok"})
LIMITED = error(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded", 1)


def execute(oxide: Any) -> Any:
    return oxide.execute_task("Hello")


def test_a_refused_task_is_sent_again_not_before_it_was_asked_for(make: Make) -> None:
    with Scripted(LIMITED, DONE) as server:
        assert execute(make(server.url))["result"] == "ok"
    first, second = server.asked
    assert second.at - first.at >= 1
    assert first.body == second.body


def test_a_task_for_which_there_was_no_place_is_sent_again(make: Make) -> None:
    with Scripted(
        error(503, "SERVICE_BUSY", "Service busy", 0), raw(503, b"<h1>nginx</h1>", Retry_After="0"), DONE
    ) as server:
        assert execute(make(server.url))["result"] == "ok"
    assert len(server.asked) == 3


def test_it_is_sent_again_so_often_and_then_the_error_comes(make: Make) -> None:
    refusal = error(503, "SERVICE_BUSY", "Service busy", 0)
    for most in (0, 2):
        with Scripted(refusal) as server, pytest.raises(ServiceBusyError):
            execute(make(server.url, retries=Retries(most=most)))
        assert len(server.asked) == 1 + most


def test_a_pause_that_is_too_long_is_not_waited_for(make: Make) -> None:
    for refusal, options in ((LIMITED, {"timeout": 0.5}), (LIMITED, {"retries": Retries(longest_pause=0.5)})):
        with Scripted(refusal) as server, pytest.raises(RateLimitError) as raised:
            execute(make(server.url, **options))
        assert raised.value.retry_after == 1
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        error(503, "CANCELLED", "Cancelled", task_id="t-1", attempts=[{"error_kind": "cancelled"}]),
        error(503, "SERVICE_UNAVAILABLE", "Database not available", 1),
        error(503, "SERVICE_BUSY", "Service busy", 1, task_id="t-1", attempts=[{"error_kind": "server"}]),
        error(502, "PROVIDER_ERROR", "Provider error", 1),
        error(503, "SERVICE_UNAVAILABLE", "Service not available", 1, attempts=[{"error_kind": "server"}]),
        error(429, "PROVIDER_RATE_LIMITED", "Rate limit exceeded", 1, attempts=[{"error_kind": "quota"}]),
        error(529, "PROVIDER_OVERLOADED", "Overloaded", 1, attempts=[{"error_kind": "server"}]),
        error(504, "TIMEOUT", "Timeout", 1),
        error(500, "INTERNAL_ERROR", "Internal server error", 1),
        raw(502, b"<h1>Bad gateway</h1>"),
        raw(504, b"<h1>Gateway timeout</h1>"),
        hang_up,
        break_off(b'{"task'),
    ],
)
def test_a_task_that_may_have_run_is_never_sent_again(make: Make, answer: Any) -> None:
    with Scripted(answer) as server, pytest.raises(OxideError):
        execute(make(server.url))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(429, "PROVIDER_RATE_LIMITED", "rate_limited"), (529, "PROVIDER_OVERLOADED", "overloaded")],
)
def test_a_provider_that_refused_has_done_nothing(make: Make, status: int, code: str, kind: str) -> None:
    refusal = error(status, code, "Refused", 0, task_id="t-1", attempts=[{"error_kind": kind}])
    with Scripted(refusal, DONE) as server:
        assert execute(make(server.url))["result"] == "ok"


def test_where_oxide_does_not_say_that_waiting_helps_nobody_waits(make: Make) -> None:
    refusal = error(503, "SERVICE_UNAVAILABLE", "Service not available")
    with Scripted(refusal) as server, pytest.raises(ServiceUnavailableError):
        execute(make(server.url))
    assert len(server.asked) == 1


def test_a_broken_connection_says_that_the_task_may_have_run(make: Make) -> None:
    with Scripted(hang_up) as server, pytest.raises(ConnectionLostError, match="history"):
        execute(make(server.url))


def test_a_read_is_repeated_where_the_connection_broke(make: Make) -> None:
    with Scripted(hang_up, hang_up, json_answer(200, {"status": "ok"})) as server:
        assert make(server.url).get_health() == {"status": "ok"}


def test_a_stream_is_repeated_like_any_task_before_it_begins(make: Make) -> None:
    begun = b'event: task\ndata: {"task_id": "t-1"}\n\nevent: done\ndata: {"result": "ok"}\n\n'
    with Scripted(error(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded", 0), raw(200, begun)) as server:
        assert [event["type"] for event in make(server.url).stream_task("Hello")] == ["task", "done"]


def test_a_connection_that_was_never_made_is_tried_again(make: Make) -> None:
    port = free_port()
    oxide = make(f"http://127.0.0.1:{port}", retries=Retries(most=5))
    with answering_from(port, after=0.4):
        assert execute(oxide)["result"] == "ok"


def test_without_a_server_the_error_says_what_to_do(make: Make) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionFailedError, match="Start it"):
        execute(make(url, retries=Retries(most=0)))
    with pytest.raises(ConnectionFailedError):
        make("http://no-such-host.invalid", retries=Retries(most=0)).get_health()


ASKS: dict[str, Callable[[Any], Any]] = {
    "call": lambda oxide: oxide.execute_task("Hello", timeout=0.3),
    "stream": lambda oxide: list(oxide.stream_task("Hello", timeout=0.3)),
}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("call", silence), ("call", trickle), ("call", trickle_head), ("stream", trickle)],
    ids=["silence", "trickle", "trickled head", "trickled stream"],
)
def test_the_deadline_holds_for_the_whole_call(make: Make, answer: Any, kind: str) -> None:
    with Scripted(answer) as server, pytest.raises(DeadlineError, match=r"0\.3 s"):
        ASKS[kind](make(server.url))
    assert len(server.asked) == 1


def test_pauses_of_our_own_double_and_differ_and_have_an_end() -> None:
    for failures, longest in ((1, 0.5), (2, 1), (3, 2), (30, 8)):
        pauses = {backoff(failures, 0.5, 8) for _ in range(20)}
        assert len(pauses) > 1
        assert all(longest / 2 <= pause <= longest for pause in pauses)


@contextlib.contextmanager
def answering_from(port: int, after: float) -> Iterator[None]:
    """A server that starts late."""

    def serve() -> None:
        time.sleep(after)
        body = b'{"result": "ok"}'
        with socket.create_server(("127.0.0.1", port)) as server:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    thread.join(5)
