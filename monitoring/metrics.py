"""What Oxide is doing right now: the figures of `GET /api/monitoring/metrics/` and of the event `metrics`."""

from __future__ import annotations

from typing import TypedDict

from monitoring import system
from monitoring.system import System
from services import directory, health
from services.availability import bulkhead
from services.breaker import State, breakers
from tasks.models import Status, TaskCount


class ServiceNumbers(TypedDict):
    """`unhealthy` are all that are not known to be healthy; of these, nothing is known yet of those `unchecked`."""

    total: int
    healthy: int
    unhealthy: int
    enabled: int
    unchecked: int


class TaskNumbers(TypedDict):
    """The tasks that are stored; `total` is the sum of the others."""

    total: int
    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int


class Snapshot(TypedDict):
    """`in_flight` are the calls under way to each service, `breakers` their circuit breakers; both of this process."""

    services: ServiceNumbers
    tasks: TaskNumbers
    in_flight: dict[str, int]
    breakers: dict[str, State]
    system: System


def snapshot() -> Snapshot:
    """One read of a small table, and what is in memory: as cheap with a million tasks as with none."""
    return {
        "services": _services(),
        "tasks": _tasks(),
        "in_flight": in_flight(),
        "breakers": {name: breakers[name].state for name in directory.current()},
        "system": system.current(),
    }


def in_flight() -> dict[str, int]:
    return {name: bulkhead.in_flight(name) for name in directory.current()}


def _services() -> ServiceNumbers:
    services = directory.current()
    known = [health.of(name) for name in services]
    healthy = sum(bool(state and state.healthy) for state in known)
    return {
        "total": len(services),
        "healthy": healthy,
        "unhealthy": len(services) - healthy,
        "enabled": sum(service.enabled for service in services.values()),
        "unchecked": sum(state is None or state.healthy is None for state in known),
    }


def _tasks() -> TaskNumbers:
    counts = TaskCount.by_status()
    return {
        "total": sum(counts.values()),
        "queued": counts[Status.QUEUED],
        "running": counts[Status.RUNNING],
        "completed": counts[Status.COMPLETED],
        "failed": counts[Status.FAILED],
        "cancelled": counts[Status.CANCELLED],
    }
