"""Adds what tasks did to the figures by period, in the transaction that records them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitoring.histogram import bucket_of
from monitoring.models import ALL_TIME, LatencyCount, Rollup, minute_of
from monitoring.sums import Sums
from tasks.models import Attempt, Status, Task


def count(ended: Sequence[Task], attempts: Sequence[Attempt], revoked: Sequence[Task], **_signal: Any) -> None:
    """Receives `tasks.signals.tasks_recorded`."""
    rollups, latencies = Sums(len(Rollup.FIGURES)), Sums(1)
    for task in ended:
        _add_task(rollups, task, 1)
    for task in revoked:
        _add_task(rollups, task, -1)
    for attempt in attempts:
        _add_attempt(rollups, attempt)
        if attempt.status == Status.COMPLETED:
            _add_latency(latencies, attempt)
    Rollup.add(rollups)
    LatencyCount.add(latencies)


def _add_task(rollups: Sums, task: Task, number: int) -> None:
    figures = [number, 0, 0, 0, 0, 0, 0, 0]
    rollups.add(
        (_period(task), task.service_used, task.model_used, task.task_type, task.status, task.cost_basis), figures
    )
    rollups.add((ALL_TIME, task.service_used, "", "", task.status, ""), figures)


def _add_attempt(rollups: Sums, attempt: Attempt) -> None:
    figures = [
        0,
        1,
        attempt.prompt_tokens,
        attempt.completion_tokens,
        attempt.cached_tokens,
        attempt.reasoning_tokens,
        attempt.cost_nanodollars or 0,
        round((attempt.latency_ms or 0) * 1000),
    ]
    # A model that answered nothing may be any text that a caller made up: it gets no row of its own.
    model = attempt.model if attempt.cost_basis else ""
    task = attempt.task
    rollups.add((_period(task), attempt.service, model, task.task_type, attempt.status, attempt.cost_basis), figures)
    rollups.add((ALL_TIME, attempt.service, "", "", attempt.status, ""), figures)


def _add_latency(latencies: Sums, attempt: Attempt) -> None:
    bucket = bucket_of(attempt.latency_ms or 0)
    for period in (_period(attempt.task), ALL_TIME):
        latencies.add((period, attempt.service, bucket), [1])


def _period(task: Task) -> int:
    return minute_of(task.completed_at or task.created_at)
