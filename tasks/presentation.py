"""How tasks look in the API's answers. The shapes are also what the API's documentation is made from."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypedDict

from tasks.models import Attempt, Metered, Task

StatusName = Literal["queued", "running", "completed", "failed", "cancelled"]


class Usage(TypedDict):
    """Tokens; `reported` is false where the provider did not count and Oxide estimated."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    reported: bool


class AttemptShown(TypedDict):
    """One call to one service on behalf of a task. `dropped` names fields of the request that it was not sent."""

    number: int
    service: str
    model: str
    rule: str
    status: StatusName
    error_kind: str
    error: str
    http_status: int | None
    finish_reason: str
    started_at: datetime
    latency_ms: float | None
    cost: float | None
    cost_basis: str
    usage: Usage
    dropped: list[str]
    usage_details: dict[str, int | str]


class TaskAnswer(TypedDict):
    """What an executed task came to. `cost` is in US dollars, and null where no price is known.

    An image that the model drew stands in `result` as Markdown: `![image](data:image/png;base64,…)`.
    """

    task_id: str
    status: StatusName
    result: str
    execution_time: float | None
    service_used: str
    model_used: str
    tokens_used: int
    cost: float | None
    cost_basis: str
    usage: Usage
    task_type: str
    finish_reason: str
    tool_calls: list[dict[str, Any]]
    reasoning: str


class TaskAccepted(TypedDict):
    """A background task: its outcome is at /api/tasks/{task_id}/."""

    task_id: str
    status: StatusName
    task_type: str


class TaskSummary(TypedDict):
    """One line of the history; the prompt is cut after 500 characters."""

    id: str
    prompt: str
    status: StatusName
    created_at: datetime
    completed_at: datetime | None
    task_type: str
    service_used: str
    model_used: str
    execution_time: float | None
    tokens_used: int
    cost: float | None
    cost_basis: str
    error_code: str
    client: str


class HistoryPage(TypedDict):
    total: int
    limit: int
    offset: int
    tasks: list[TaskSummary]


class ExportedTask(TaskSummary):
    """One line of an export; prompt and result are cut after 32,000 characters."""

    result: str
    started_at: datetime | None
    requested_service: str
    requested_model: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    error_detail: str


class Export(TypedDict):
    tasks: list[ExportedTask]


class TaskDetail(TaskSummary):
    """One task with everything that is known of it."""

    task_id: str
    started_at: datetime | None
    confidence: float | None
    messages: list[dict[str, Any]]
    parameters: dict[str, Any]
    requested_service: str
    requested_model: str
    decision: dict[str, Any]
    result: str
    reasoning: str
    tool_calls: list[dict[str, Any]]
    finish_reason: str
    error_detail: str
    usage: Usage
    attempts: list[AttemptShown]


class TaskCancelling(TypedDict):
    task_id: str
    status: Literal["cancelling"]


def answer(task: Task) -> TaskAnswer:
    return {
        "task_id": str(task.pk),
        "status": _status(task),
        "result": task.result,
        "execution_time": task.execution_time,
        "service_used": task.service_used,
        "model_used": task.model_used,
        "tokens_used": task.total_tokens,
        "cost": _dollars(task),
        "cost_basis": task.cost_basis,
        "usage": usage(task),
        "task_type": task.task_type,
        "finish_reason": task.finish_reason,
        "tool_calls": task.tool_calls,
        "reasoning": task.reasoning,
    }


def accepted(task: Task) -> TaskAccepted:
    return {"task_id": str(task.pk), "status": _status(task), "task_type": task.task_type}


def cancelling(task_id: str) -> TaskCancelling:
    return {"task_id": task_id, "status": "cancelling"}


def summary(task: Task, prompt: str) -> TaskSummary:
    return {
        "id": str(task.pk),
        "prompt": prompt,
        "status": _status(task),
        "created_at": task.created_at,
        "completed_at": task.completed_at,
        "task_type": task.task_type,
        "service_used": task.service_used,
        "model_used": task.model_used,
        "execution_time": task.execution_time,
        "tokens_used": task.total_tokens,
        "cost": _dollars(task),
        "cost_basis": task.cost_basis,
        "error_code": task.error_code,
        "client": task.client,
    }


def exported(task: Task) -> ExportedTask:
    return {
        **summary(task, task.said_prompt),
        "result": task.said_result,
        "started_at": task.started_at,
        "requested_service": task.requested_service or "auto",
        "requested_model": task.requested_model,
        "prompt_tokens": task.prompt_tokens,
        "completion_tokens": task.completion_tokens,
        "finish_reason": task.finish_reason,
        "error_detail": task.error_detail,
    }


def detail(task: Task) -> TaskDetail:
    return {
        **summary(task, task.prompt),
        "task_id": str(task.pk),
        "started_at": task.started_at,
        "confidence": task.confidence,
        "messages": task.messages,
        "parameters": task.parameters,
        "requested_service": task.requested_service or "auto",
        "requested_model": task.requested_model,
        "decision": task.decision,
        "result": task.result,
        "reasoning": task.reasoning,
        "tool_calls": task.tool_calls,
        "finish_reason": task.finish_reason,
        "error_detail": task.error_detail,
        "usage": usage(task),
        "attempts": [attempt(row) for row in task.attempts.all()],
    }


def attempt(row: Attempt) -> AttemptShown:
    return {
        "number": row.number,
        "service": row.service,
        "model": row.model,
        "rule": row.rule,
        "status": _status(row),
        "error_kind": row.error_kind,
        "error": row.error,
        "http_status": row.http_status,
        "finish_reason": row.finish_reason,
        "started_at": row.started_at,
        "latency_ms": row.latency_ms,
        "cost": _dollars(row),
        "cost_basis": row.cost_basis,
        "usage": usage(row),
        "dropped": row.dropped or [],
        "usage_details": row.usage_details or {},
    }


def usage(row: Metered) -> Usage:
    return {
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "total_tokens": row.total_tokens,
        "cached_tokens": row.cached_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "reported": row.usage_reported,
    }


def _dollars(row: Metered) -> float | None:
    return None if row.cost is None else float(row.cost)


def _status(row: Task | Attempt) -> StatusName:
    # A row just made holds Django's choice, a row from the database its plain text.
    name: StatusName = str(row.status)  # type: ignore[assignment]
    return name
