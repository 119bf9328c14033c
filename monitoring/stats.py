"""How the services did lately: `GET /api/monitoring/stats/`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

from django.utils import timezone
from msgspec import Struct

from monitoring import histogram, system
from monitoring.models import FINE, HOUR, LatencyCount, Rollup, minute_of
from monitoring.sums import sums_of
from monitoring.system import System
from services import directory
from services.prices import NANO
from tasks.models import Status

Window = Literal["1h", "24h", "7d"]
# How far back, and the length in minutes of the periods that are kept for so long.
_WINDOWS: Mapping[Window, tuple[timedelta, int]] = {
    "1h": (timedelta(hours=1), 1),
    "24h": (timedelta(hours=24), FINE),
    "7d": (timedelta(days=7), HOUR),
}
_FIGURES = ("attempts", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost_nanodollars")


class Latency(TypedDict):
    """Milliseconds that so many percent of all completed requests stay below, at most 10.1 % off; null where none."""

    p50: float | None
    p95: float | None
    p99: float | None


class Tokens(TypedDict):
    """`cached` are among `prompt`, `reasoning` among `completion`."""

    prompt: int
    completion: int
    cached: int
    reasoning: int
    total: int


class Figures(TypedDict):
    """A request is one attempt at one service: a task that fell back made several.

    `error_rate` is the share of failed ones among those that completed or failed. `cost` is in US dollars, without
    the requests whose cost nobody knows.
    """

    requests: int
    errors: int
    cancelled: int
    error_rate: float
    latency_ms: Latency
    tokens: Tokens
    cost: float
    requests_of_unknown_cost: int


class EndedTasks(TypedDict):
    total: int
    completed: int
    failed: int
    cancelled: int


class Stats(TypedDict):
    """What ended in the window, from `since`: up to a minute more than the window, five for 24h, or an hour for 7d."""

    window: Window
    since: datetime
    until: datetime
    tasks: EndedTasks
    totals: Figures
    services: dict[str, Figures]
    system: System


class StatsQuery(Struct, forbid_unknown_fields=True):
    """The query of `GET /api/monitoring/stats/`."""

    window: Window = "24h"


def stats(query: StatsQuery) -> Stats:
    """Figures for each service and for all together."""
    until = timezone.now()
    length, step = _WINDOWS[query.window]
    since = minute_of(until - length) // step * step
    services, latencies = _services(since), _latencies(since)
    return {
        "window": query.window,
        "since": datetime.fromtimestamp(since * 60, UTC),
        "until": until,
        "tasks": ended(since),
        "totals": _figures(_added(services.values()), _added(latencies.values())),
        "services": {
            name: _figures(services[name], latencies[name]) for name in sorted({*directory.current(), *services})
        },
        "system": system.current(),
    }


def _services(since: int) -> dict[str, Counter[str]]:
    """For each service the sums of its figures, and its attempts by status and by cost basis."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    rows = Rollup.objects.filter(period__gte=since, attempts__gt=0)
    for (service, status, basis), sums in sums_of(rows, ("service", "status", "cost_basis"), _FIGURES):
        found[service].update(sums)
        found[service].update({status: sums["attempts"], f"cost {basis}": sums["attempts"]})
    return found


def _latencies(since: int) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = defaultdict(Counter)
    rows = LatencyCount.objects.filter(period__gte=since)
    for (service, bucket), sums in sums_of(rows, ("service", "bucket"), LatencyCount.FIGURES):
        found[service][bucket] = sums["attempts"]
    return found


def ended(since: int) -> EndedTasks:
    """How many tasks ended how, from that minute on."""
    rows = Rollup.objects.filter(period__gte=since)
    ended = Counter({status: sums["tasks"] for (status,), sums in sums_of(rows, ("status",), ("tasks",))})
    return {
        "total": ended.total(),
        "completed": ended[Status.COMPLETED],
        "failed": ended[Status.FAILED],
        "cancelled": ended[Status.CANCELLED],
    }


def _added(counters: Iterable[Counter[Any]]) -> Counter[Any]:
    return sum(counters, Counter())


def latency(counts: Counter[int]) -> Latency:
    return {
        "p50": histogram.percentile(counts, 0.5),
        "p95": histogram.percentile(counts, 0.95),
        "p99": histogram.percentile(counts, 0.99),
    }


def _figures(sums: Counter[str], latencies: Counter[int]) -> Figures:
    errors, judged = sums[Status.FAILED], sums[Status.FAILED] + sums[Status.COMPLETED]
    return {
        "requests": sums["attempts"],
        "errors": errors,
        "cancelled": sums[Status.CANCELLED],
        "error_rate": round(errors / judged, 4) if judged else 0.0,
        "latency_ms": latency(latencies),
        "tokens": {
            "prompt": sums["prompt_tokens"],
            "completion": sums["completion_tokens"],
            "cached": sums["cached_tokens"],
            "reasoning": sums["reasoning_tokens"],
            "total": sums["prompt_tokens"] + sums["completion_tokens"],
        },
        "cost": sums["cost_nanodollars"] / NANO,
        "requests_of_unknown_cost": sums["cost unknown"],
    }
