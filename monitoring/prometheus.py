"""The figures in Prometheus' text format: `GET /metrics`.

What was counted since ever (`_total`, the histogram) comes from the database and is the same whichever process
answers. What is true of one process only has the label `pid`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Sum
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitoring import metrics, system
from monitoring.histogram import LAST, PER_DECADE, upper_bound
from monitoring.models import ALL_TIME, LatencyCount, Rollup
from services import directory, health
from services.breaker import breakers
from services.prices import NANO
from tasks.models import Status, TaskCount

_TOKENS = ("prompt", "completion", "cached", "reasoning")
# Four bounds for each power of ten, from 10 ms on: finer ones would only be more to store.
_BOUNDS = [*range(PER_DECADE, LAST, PER_DECADE // 4), LAST]
_STATES = ("closed", "half_open", "open")


def render(accept: str) -> tuple[bytes, str]:
    """The text and its content type, in the version of the format that the scraper asks for."""
    encode, content_type = choose_encoder(accept)
    return encode(_registry), content_type


class Figures(Collector):
    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("oxide_build", "Which Oxide this is.", {"version": settings.VERSION})
        yield from _tasks()
        yield from _attempts()
        yield _durations()
        yield from _services()
        yield from _process()


def _tasks() -> Iterable[Metric]:
    ended = CounterMetricFamily("oxide_tasks", "Tasks that have ended.", labels=["status"])
    found = dict(Rollup.objects.filter(period=ALL_TIME).values_list("status").annotate(Sum("tasks")))
    for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        ended.add_metric([status.value], found.get(status.value, 0))
    stored = GaugeMetricFamily("oxide_tasks_stored", "Tasks in the history, open ones included.", labels=["status"])
    for name, number in TaskCount.by_status().items():
        stored.add_metric([name], number)
    return ended, stored


def _attempts() -> Iterable[Metric]:
    attempts = CounterMetricFamily("oxide_attempts", "Calls to services.", labels=["service", "status"])
    tokens = CounterMetricFamily(
        "oxide_tokens", "Tokens; cached are among prompt, reasoning among completion.", labels=["service", "kind"]
    )
    cost = CounterMetricFamily("oxide_cost_dollars", "US dollars, where the cost is known.", labels=["service"])
    by_service: dict[str, list[Rollup]] = defaultdict(list)
    for row in Rollup.objects.filter(period=ALL_TIME, attempts__gt=0).order_by("service", "status"):
        attempts.add_metric([row.service, row.status], row.attempts)
        by_service[row.service].append(row)
    for service, rows in by_service.items():
        for kind in _TOKENS:
            tokens.add_metric([service, kind], sum(getattr(row, f"{kind}_tokens") for row in rows))
        cost.add_metric([service], sum(row.cost_nanodollars for row in rows) / NANO)
    return attempts, tokens, cost


def _durations() -> Metric:
    durations = HistogramMetricFamily(
        "oxide_attempt_duration_seconds", "How long completed calls to services took.", labels=["service"]
    )
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    rows = LatencyCount.objects.filter(period=ALL_TIME).order_by("service", "bucket")
    for service, bucket, number in rows.values_list("service", "bucket", "attempts"):
        counts[service][bucket] = number
    completed = Rollup.objects.filter(period=ALL_TIME, status=Status.COMPLETED)
    sums = dict(completed.values_list("service", "latency_us"))
    for service, buckets in counts.items():
        durations.add_metric([service], _cumulative(buckets), sums.get(service, 0) / 1_000_000)
    return durations


def _cumulative(buckets: dict[int, int]) -> list[tuple[str, int]]:
    """For each bound how many stay below it, as Prometheus wants it."""
    return [(_bound(last), sum(number for bucket, number in buckets.items() if bucket <= last)) for last in _BOUNDS]


def _bound(bucket: int) -> str:
    return "+Inf" if bucket == LAST else f"{upper_bound(bucket) / 1000:.4g}"


def _services() -> Iterable[Metric]:
    pid = str(os.getpid())
    up = GaugeMetricFamily(
        "oxide_service_healthy",
        "1 where the service is healthy, absent where that is not known.",
        labels=["service", "pid"],
    )
    state = GaugeMetricFamily("oxide_breaker_state", "1 for the state it is in.", labels=["service", "state", "pid"])
    flying = GaugeMetricFamily("oxide_calls_in_flight", "Calls under way.", labels=["service", "pid"])
    for name in directory.current():
        known = health.of(name)
        if known and known.healthy is not None:
            up.add_metric([name, pid], known.healthy)
        for possible in _STATES:
            state.add_metric([name, possible, pid], breakers[name].state == possible)
    for name, number in metrics.in_flight().items():
        flying.add_metric([name, pid], number)
    return up, state, flying


def _process() -> Iterable[Metric]:
    pid = str(os.getpid())
    memory = GaugeMetricFamily("oxide_process_resident_memory_bytes", "Memory of this process.", labels=["pid"])
    memory.add_metric([pid], system.process_memory())
    started = GaugeMetricFamily("oxide_process_start_time_seconds", "When it began, since 1970.", labels=["pid"])
    started.add_metric([pid], system.process_started())
    return memory, started


_registry = CollectorRegistry(auto_describe=False)
_registry.register(Figures())
