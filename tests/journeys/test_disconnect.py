"""Clients that hang up, tasks that are called off, providers that never end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("disconnect")  # one process serves them all

CALLERS = 50
# Fewer threads than two rounds of callers: the second round finds room only where the first has left.
ENVIRONMENT = {"OXIDE_THREADS": "60", "OXIDE_DRAIN_SECONDS": "1"}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveOxide, FakeProvider]]:
    with FakeProvider() as provider:
        oxide = LiveOxide(tmp_path_factory.mktemp("disconnect"))
        oxide.environment.update(ENVIRONMENT)
        oxide.declare("slow", provider.base_url("openai", service="slow"), api="openai", max_concurrency=100)
        try:
            yield oxide.start(), provider
        finally:
            oxide.kill()


@pytest.fixture
def provider(started: tuple[LiveOxide, FakeProvider]) -> FakeProvider:
    """Takes calls and ends none."""
    oxide, provider = started
    provider.behave("slow")
    # Now, so that no check that would hang comes before the test is over.
    assert oxide.post("/api/services/slow/test/").status_code == 200
    provider.requests.clear()
    provider.hangups = 0
    provider.misbehave("hang", service="slow")
    return provider


@pytest.fixture
def oxide(started: tuple[LiveOxide, FakeProvider], provider: FakeProvider) -> LiveOxide:
    return started[0]


def call(oxide: LiveOxide, **fields: Any) -> socket.socket:
    """Ask for a task on a connection of its own, and do not wait."""
    body = json.dumps({"prompt": "Take your time.", "service": "slow", **fields}).encode()
    sock = socket.create_connection(("127.0.0.1", urlsplit(oxide.url).port or 0), timeout=30)
    head = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall(b"POST /api/tasks/execute/ HTTP/1.1\r\n" + head.encode() + body)
    return sock


def count(oxide: LiveOxide, status: str) -> int:
    return int(oxide.get("/api/tasks/history/", params={"status": status, "limit": 1}).json()["total"])


def running_task(oxide: LiveOxide) -> str:
    wait_until(lambda: count(oxide, "running"))
    return str(oxide.get("/api/tasks/history/", params={"status": "running"}).json()["tasks"][0]["id"])


def execute_aside(oxide: LiveOxide, answers: list[requests.Response], **fields: Any) -> threading.Thread:
    """Ask for a task in a thread, on a connection of its own."""

    def ask() -> None:
        body = {"prompt": "Take your time.", "service": "slow", **fields}
        answers.append(requests.post(f"{oxide.url}/api/tasks/execute/", json=body, timeout=60))

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


@pytest.mark.parametrize("round_", ["first", "second"])
def test_callers_who_hang_up_free_everything_at_once(oxide: LiveOxide, provider: FakeProvider, round_: str) -> None:
    cancelled = count(oxide, "cancelled")
    callers = [call(oxide) for _ in range(CALLERS)]
    wait_until(lambda: provider.calls_to("slow") == CALLERS)
    assert oxide.get("/api/services/").status_code == 200
    for caller in callers:
        caller.close()
    wait_until(lambda: provider.hangups == CALLERS)
    wait_until(lambda: count(oxide, "cancelled") == cancelled + CALLERS)
    assert count(oxide, "running") == 0
    assert oxide.get("/api/services/").status_code == 200
    assert "Traceback" not in oxide.log


def test_a_half_closed_connection_is_a_hangup_too(oxide: LiveOxide, provider: FakeProvider) -> None:
    cancelled = count(oxide, "cancelled")
    caller = call(oxide)
    wait_until(lambda: provider.calls_to("slow"))
    caller.shutdown(socket.SHUT_WR)
    wait_until(lambda: provider.hangups == 1)
    wait_until(lambda: count(oxide, "cancelled") == cancelled + 1)
    caller.close()


def test_a_client_that_leaves_in_mid_upload_starts_nothing(oxide: LiveOxide, provider: FakeProvider) -> None:
    tasks = oxide.get("/api/tasks/history/").json()["total"]
    for _ in range(CALLERS):
        sock = socket.create_connection(("127.0.0.1", urlsplit(oxide.url).port or 0), timeout=30)
        sock.sendall(b"POST /api/tasks/execute/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        sock.close()
    assert oxide.execute(service="echo").status_code == 200
    assert provider.calls_to("slow") == 0
    assert oxide.get("/api/tasks/history/").json()["total"] == tasks + 1
    assert "Traceback" not in oxide.log


def test_a_running_task_can_be_called_off(oxide: LiveOxide, provider: FakeProvider) -> None:
    answers: list[requests.Response] = []
    caller = execute_aside(oxide, answers)
    task_id = running_task(oxide)
    asked = oxide.post(f"/api/tasks/{task_id}/cancel/")
    assert asked.status_code == 202
    caller.join(20)
    assert answers[0].status_code == 200
    assert (answers[0].json()["task_id"], answers[0].json()["status"]) == (task_id, "cancelled")
    wait_until(lambda: provider.hangups == 1)
    assert oxide.get(f"/api/tasks/{task_id}/").json()["status"] == "cancelled"


def test_a_background_task_can_be_called_off(oxide: LiveOxide, provider: FakeProvider) -> None:
    task_id = oxide.execute(service="slow", background=True).json()["task_id"]
    wait_until(lambda: provider.calls_to("slow"))
    assert oxide.post(f"/api/tasks/{task_id}/cancel").status_code == 202
    wait_until(lambda: oxide.get(f"/api/tasks/{task_id}/").json()["status"] == "cancelled")
    wait_until(lambda: provider.hangups == 1)


def test_a_task_that_has_ended_cannot_be_called_off(oxide: LiveOxide) -> None:
    task_id = oxide.execute(service="echo").json()["task_id"]
    answer = oxide.post(f"/api/tasks/{task_id}/cancel/")
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "completed" in answer.json()["detail"]
    assert oxide.get(f"/api/tasks/{task_id}/").json()["status"] == "completed"


def test_a_task_that_is_not_there_cannot_be_called_off(oxide: LiveOxide) -> None:
    answer = oxide.post("/api/tasks/00000000-0000-0000-0000-000000000000/cancel/")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("fault", ["hang", "trickle", "stall"])
def test_a_provider_that_never_ends_is_ended_by_the_deadline(
    oxide: LiveOxide, provider: FakeProvider, fault: str
) -> None:
    provider.misbehave(fault, service="slow")
    answer = oxide.execute(service="slow", timeout_seconds=1)
    assert (answer.status_code, answer.json()["code"]) == (504, "TIMEOUT")
    wait_until(lambda: provider.hangups == 1)
    task = oxide.get(f"/api/tasks/{answer.json()['task_id']}/").json()
    assert (task["status"], task["error_code"]) == ("failed", "TIMEOUT")


def test_calls_that_a_drain_cannot_finish_are_called_off(oxide: LiveOxide, provider: FakeProvider) -> None:
    cancelled = count(oxide, "cancelled")
    upload = socket.create_connection(("127.0.0.1", urlsplit(oxide.url).port or 0), timeout=30)
    upload.sendall(b"POST /api/tasks/execute/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    callers = [call(oxide) for _ in range(10)]
    wait_until(lambda: provider.calls_to("slow") == 10)
    assert oxide.stop(seconds=20) == 0
    assert provider.hangups >= 10  # a health check may be among them
    for sock in (upload, *callers):
        sock.close()
    assert "Traceback" not in oxide.log
    oxide.start()
    assert count(oxide, "running") == 0
    assert count(oxide, "cancelled") == cancelled + 10
