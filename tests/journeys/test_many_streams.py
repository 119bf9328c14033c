"""Hundreds of streams at once: whole, in order, not mixed up, and nothing left behind.

How quick they are is measured by `python -m benchmarks.streams`, on a machine that does nothing else meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests

from tests.live import ROOT, LiveOxide, free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("many streams")]

MEGABYTE = 1024 * 1024


class Mock:
    """`benchmarks.mock` in a process of its own: it keeps hundreds of streams in step."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "benchmarks.mock", self.url.rpartition(":")[2]]
        self.process = subprocess.Popen(command, cwd=ROOT)
        wait_until(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.stats())
        except requests.ConnectionError:
            return False

    def stats(self) -> Any:
        return requests.get(f"{self.url}/stats", timeout=10).json()


@pytest.fixture
def mock() -> Iterator[Mock]:
    mock = Mock()
    yield mock
    mock.process.kill()
    mock.process.wait()


@pytest.fixture
def oxide(live: LiveOxide, mock: Mock) -> LiveOxide:
    live.environment["OXIDE_LOG_LEVEL"] = "INFO"  # thousands of lines for thousands of tokens would be measured here
    price = {"input_per_million": 1, "output_per_million": 2}
    return live.declare("mock", f"{mock.url}/v1", api="openai", max_concurrency=1000, price=price).start()


def follow(oxide: LiveOxide, *arguments: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.streams", oxide.url, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=200)
    return json.loads(done.stdout)


def total(oxide: LiveOxide, status: str) -> int:
    return int(oxide.get("/api/tasks/history/", params={"status": status, "limit": 1}).json()["total"])


def test_three_hundred_streams_come_whole_and_in_order(oxide: LiveOxide) -> None:
    process = psutil.Process(oxide.process.pid)
    before = process.memory_info().rss
    for _ in range(2):
        seen = follow(oxide, "300", "50", "100", "3")
        assert (seen["complete"], seen["tokens"], seen["wrong"]) == (300, 15_000, 0)
    assert process.memory_info().rss - before < 100 * MEGABYTE
    assert (total(oxide, "completed"), total(oxide, "running")) == (600, 0)


def test_two_hundred_clients_that_hang_up_leave_nothing_behind(oxide: LiveOxide, mock: Mock) -> None:
    process = psutil.Process(oxide.process.pid)
    threads = []
    for times in (1, 2):
        seen = follow(oxide, "200", "6000", "50", "1", "--hang-up-after", "10")
        assert (seen["complete"], seen["wrong"]) == (0, 0)
        # Of five minutes each of them would have gone on for.
        wait_until(lambda: mock.stats() == {"open": 0, "hung_up": 200 * times})  # noqa: B023 - called at once
        wait_until(lambda: total(oxide, "cancelled") == 200 * times)  # noqa: B023
        threads.append(process.num_threads())
    assert total(oxide, "running") == 0
    # The pool grows with those who wait at once. Threads that were lost would have to be made anew.
    assert threads[1] <= threads[0] + 20
    stored = oxide.get("/api/tasks/history/", params={"status": "cancelled", "limit": 400}).json()["tasks"]
    assert all(task["cost_basis"] == "estimated" and task["cost"] > 0 for task in stored)
    one = oxide.get(f"/api/tasks/{stored[0]['id']}/").json()
    assert one["result"].startswith(f"{one['prompt']} 1 ")
    assert one["result"].count(";") >= 10
    assert one["usage"]["completion_tokens"] == -(-len(one["result"]) // 4)
    costs = oxide.get("/api/monitoring/costs/").json()["total"]["cost"]
    assert costs == pytest.approx(sum(task["cost"] for task in stored))
