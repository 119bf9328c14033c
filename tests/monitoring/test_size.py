"""A million stored tasks make nothing slower that is asked for all the time."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from benchmarks.many_tasks import fill
from tests.live import LiveOxide

MILLION = 1_000_000
# Each may take so many times what it takes with an empty history, and some milliseconds more: a scan takes hundreds.
TIMES, MORE_MS = 3, 40
PATHS = (
    "/api/monitoring/metrics/",
    "/api/tasks/history/",
    "/api/tasks/history/?status=failed",
    "/api/tasks/history/?status=running",
    "/api/tasks/history/?service=nobody",
    "/api/monitoring/stats/?window=1h",
    "/api/monitoring/series/",
    "/metrics",
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_tasks_cost_what_none_do(live: LiveOxide, tmp_path: Path) -> None:
    live.environment["OXIDE_RATE_LIMIT_ANON"] = "0"
    live.start()
    before = {path: _median_ms(live, path) for path in PATHS}
    live.stop()
    fill(tmp_path / "var" / "oxide.sqlite3", MILLION)
    live.start()
    assert live.get("/api/tasks/history/").json()["total"] == MILLION
    assert live.get("/api/monitoring/metrics/").json()["tasks"]["total"] == MILLION
    after = {path: _median_ms(live, path) for path in PATHS}
    print({path: f"{before[path]:.1f} -> {after[path]:.1f} ms" for path in PATHS})  # noqa: T201 - shown with -s
    slower = {path for path in PATHS if after[path] > before[path] * TIMES + MORE_MS}
    assert not slower, (before, after)


def _median_ms(live: LiveOxide, path: str, calls: int = 20) -> float:
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        answer = live.get(path)
        times.append((time.perf_counter() - begin) * 1000)
        assert answer.status_code == 200, answer.text
    return statistics.median(times)
