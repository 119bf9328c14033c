"""The events that `/ws` sends, and the one place where they are published.

A client gets each as one JSON object, with a number `seq` added (monitoring/hub.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from monitoring import progress
from monitoring.estimates import Estimate, estimate_of
from monitoring.hub import hub
from monitoring.news import Topic
from monitoring.progress import tracker
from services.text import storable
from tasks.models import Task


class ServiceState(TypedDict):
    healthy: bool
    enabled: bool


class ServiceStatus(TypedDict):
    """A service fell ill, got well, was switched or changed; `removed` where it is no more."""

    type: Literal["service_status"]
    service: str
    data: ServiceState
    removed: NotRequired[bool]


class Metrics(TypedDict):
    """The figures of `GET /api/monitoring/metrics/`, and with them `stats`, those of the last hour, and `minutes`, the
    last two points of `GET /api/monitoring/series/`.
    """

    type: Literal["metrics"]
    data: Mapping[str, Any]


class TaskProgress(TypedDict):
    """Where a task stands. `progress` is an integer, 0 to 100 (monitoring/progress.py); `elapsed` is in seconds.

    `estimate` is there while a task is open and its price is known. `waiting` is there, and true,
    while a running one waits for a free place at its service.
    """

    type: Literal["task_progress"]
    task_id: str
    status: str
    progress: int
    task_type: str
    service: str
    model: str
    elapsed: float | None
    estimate: NotRequired[Estimate]
    waiting: NotRequired[bool]
    tokens: NotRequired[int]
    cost: NotRequired[float | None]
    error_code: NotRequired[str]


class TaskDelta(TypedDict):
    """A piece of a task's answer. `offset` is how many characters came before it; what a client has from there on
    no longer counts: it came twice, or another service has begun to answer.
    """

    type: Literal["task_delta"]
    task_id: str
    text: str
    offset: int


def service_status(service: str, state: ServiceState | None) -> None:
    """`state` is None for a service that is no more."""
    event = ServiceStatus(type="service_status", service=service, data=state or {"healthy": False, "enabled": False})
    if state is None:
        event["removed"] = True
    hub.publish(Topic.SERVICES, service, event)


def metrics(data: Mapping[str, Any]) -> None:
    hub.publish(Topic.METRICS, "", Metrics(type="metrics", data=data))


def task_progress(task: Task) -> None:
    if hub.is_wanted(Topic.TASKS, str(task.pk)):  # most tasks are done while nobody looks on
        hub.publish(Topic.TASKS, str(task.pk), describe(task), task.caller)


def task_delta(task: Task, text: str) -> None:
    """A piece of the answer of a task that runs in this process, as it comes from the provider."""
    task_id = str(task.pk)
    offset = tracker.note_text(task_id, text)
    if text and hub.is_followed(task_id):
        hub.publish(Topic.TEXT, task_id, delta(task_id, text, offset), task.caller)


def delta(task_id: str, text: str, offset: int) -> TaskDelta:
    return TaskDelta(type="task_delta", task_id=task_id, text=storable(text), offset=offset)


def describe(task: Task) -> TaskProgress:
    """The event that says where a task stands now."""
    event = TaskProgress(
        type="task_progress",
        task_id=str(task.pk),
        status=task.status,
        progress=progress.progress_of(task),
        task_type=task.task_type,
        service=progress.service_of(task),
        model=task.model_used,
        elapsed=progress.elapsed(task),
    )
    if task.is_open:
        if estimate := estimate_of(task):
            event["estimate"] = estimate
        running = tracker.get(event["task_id"])
        if running and running.waits:
            event["waiting"] = True
    else:
        event["tokens"] = task.total_tokens
        event["cost"] = None if task.cost is None else float(task.cost)
        event["error_code"] = task.error_code
    return event
