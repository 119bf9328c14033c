"""The last hour by the minute: `GET /api/monitoring/series/`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

from django.utils import timezone

from monitoring.machine import MINUTES, Load, machine
from monitoring.models import LatencyCount, Rollup, minute_of
from monitoring.stats import Latency, latency
from monitoring.sums import sums_of
from services.prices import NANO, CostBasis
from tasks.models import Status

_FIGURES = ("tasks", "attempts", "prompt_tokens", "completion_tokens", "cost_nanodollars")


class Point(TypedDict):
    """What ended in the minute that begins `at`: tasks, those of them that failed, and what their requests took.

    `cost` is in US dollars, without the requests whose cost nobody knows. `requests` are those that cost something or
    might have, as in `GET /api/monitoring/costs/`. Processor and memory are those of the machine of the process that
    answers; null while it was not there.
    """

    at: datetime
    tasks: int
    failed: int
    latency_ms: Latency
    tokens: int
    cost: float
    requests: int
    requests_of_unknown_cost: int
    cpu_percent: float | None
    memory_percent: float | None


class Series(TypedDict):
    """Sixty minutes, the oldest first; the last one goes on `until` now."""

    since: datetime
    until: datetime
    points: list[Point]


def series(minutes: int = MINUTES) -> Series:
    """Of the last so many minutes. Two reads of the figures by period: as cheap with a million tasks as with none."""
    until = timezone.now()
    first = minute_of(until) - minutes + 1
    ended, latencies, loads = _ended(first), _latencies(first), machine.by_minute()
    return {
        "since": _moment(first),
        "until": until,
        "points": [_point(minute, ended[minute], latencies[minute], loads) for minute in range(first, first + minutes)],
    }


def _ended(first: int) -> dict[int, Counter[str]]:
    """For each minute the sums of its figures, its tasks by status, and its requests by the basis of their cost."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    rows = Rollup.objects.filter(period__gte=first)
    for (minute, status, basis), sums in sums_of(rows, ("period", "status", "cost_basis"), _FIGURES):
        found[minute].update({**sums, status: sums["tasks"], f"cost {basis}": sums["attempts"]})
    return found


def _latencies(first: int) -> dict[int, Counter[int]]:
    found: dict[int, Counter[int]] = defaultdict(Counter)
    rows = LatencyCount.objects.filter(period__gte=first)
    for (minute, bucket), sums in sums_of(rows, ("period", "bucket"), LatencyCount.FIGURES):
        found[minute][bucket] = sums["attempts"]
    return found


def _point(minute: int, sums: Counter[str], latencies: Counter[int], loads: Mapping[int, Load]) -> Point:
    load = loads.get(minute)
    return {
        "at": _moment(minute),
        "tasks": sums["tasks"],
        "failed": sums[Status.FAILED],
        "latency_ms": latency(latencies),
        "tokens": sums["prompt_tokens"] + sums["completion_tokens"],
        "cost": sums["cost_nanodollars"] / NANO,
        "requests": sums["attempts"] - sums["cost "],
        "requests_of_unknown_cost": sums[f"cost {CostBasis.UNKNOWN}"],
        "cpu_percent": round(load.cpu, 1) if load else None,
        "memory_percent": round(load.memory, 1) if load else None,
    }


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
