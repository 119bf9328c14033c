"""Live events as lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oxide_client.cli.terminal import one_line
from oxide_client.live import LiveEvent


def line_of(event: LiveEvent) -> str:
    """One line; "" for what is of no interest to people."""
    describe = _KINDS.get(event["type"])
    return one_line(f"{event['type']:<15} {describe(event)}") if describe else ""


def _snapshot(event: Any) -> str:
    data = event["data"]
    if data["metrics"] is None:  # a key that may see its own tasks alone
        return f"{len(data['tasks'])} open tasks of this key"
    healthy = sum(service["healthy"] for service in data["services"].values())
    return f"{healthy} of {len(data['services'])} services healthy, {len(data['tasks'])} open tasks"


def _service(event: Any) -> str:
    if event.get("removed"):
        return f"{event['service']}: removed"
    state = event["data"]
    return f"{event['service']}: {'healthy' if state['healthy'] else 'unhealthy'}{'' if state['enabled'] else ', off'}"


def _metrics(event: Any) -> str:
    tasks, system = event["data"]["tasks"], event["data"]["system"]
    return (
        f"{tasks['running']} running, {tasks['queued']} queued, {tasks['completed']} completed, "
        f"{tasks['failed']} failed; cpu {system['cpu_percent']:g} %, memory {system['memory_percent']:g} %"
    )


def _task(event: Any) -> str:
    parts = [event["task_id"], event["status"], f"{event['progress']} %", event["service"], event["model"]]
    if event.get("tokens") is not None:
        parts.append(f"{event['tokens']} tokens")
    parts.append(event.get("error_code") or "")
    return " ".join(part for part in parts if part)


def _text(event: Any) -> str:
    return f"{event['task_id']} {event['offset']}: {event['text']}"


def _complaint(event: Any) -> str:
    return f"{event['code']}: {event['detail']}"


def _reconnecting(event: Any) -> str:
    return f"{event['reason']}; trying again in {event['retry_in']:g} s"


def _reconnected(event: Any) -> str:
    return f"after {event['attempts']} attempts" if event["attempts"] > 1 else "connected again"


_KINDS: dict[str, Callable[[Any], str]] = {
    "snapshot": _snapshot,
    "service_status": _service,
    "metrics": _metrics,
    "task_progress": _task,
    "task_delta": _text,
    "error": _complaint,
    "reconnecting": _reconnecting,
    "reconnected": _reconnected,
}
