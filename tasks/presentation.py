"""How tasks look in the API's answers."""

from __future__ import annotations

from typing import Any

from tasks.models import Attempt, Task


def answer(task: Task) -> dict[str, Any]:
    """What `POST /api/tasks/execute/` answers."""
    return {
        "task_id": str(task.pk),
        "status": task.status,
        "result": task.result,
        "execution_time": task.execution_time,
        "service_used": task.service_used,
        "model_used": task.model_used,
        "tokens_used": task.total_tokens,
        "cost": task.cost,
        "cost_basis": task.cost_basis,
        "usage": usage(task),
        "task_type": task.task_type,
        "finish_reason": task.finish_reason,
        "tool_calls": task.tool_calls,
        "reasoning": task.reasoning,
    }


def accepted(task: Task) -> dict[str, Any]:
    """What a background task's caller gets at once."""
    return {"task_id": str(task.pk), "status": task.status, "task_type": task.task_type}


def summary(task: Task) -> dict[str, Any]:
    """One line of the history, from a row `in_brief`."""
    return {**_outline(task), "prompt": task.preview}


def _outline(task: Task) -> dict[str, Any]:
    return {
        "id": str(task.pk),
        "status": task.status,
        "created_at": task.created_at,
        "completed_at": task.completed_at,
        "task_type": task.task_type,
        "service_used": task.service_used,
        "model_used": task.model_used,
        "execution_time": task.execution_time,
        "tokens_used": task.total_tokens,
        "cost": task.cost,
        "cost_basis": task.cost_basis,
        "error_code": task.error_code,
    }


def detail(task: Task) -> dict[str, Any]:
    """One task with everything that is known of it."""
    return {
        **_outline(task),
        "task_id": str(task.pk),
        "prompt": task.prompt,
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


def attempt(row: Attempt) -> dict[str, Any]:
    return {
        "number": row.number,
        "service": row.service,
        "model": row.model,
        "rule": row.rule,
        "status": row.status,
        "error_kind": row.error_kind,
        "error": row.error,
        "http_status": row.http_status,
        "finish_reason": row.finish_reason,
        "started_at": row.started_at,
        "latency_ms": row.latency_ms,
        "cost": row.cost,
        "cost_basis": row.cost_basis,
        "usage": usage(row),
    }


def usage(row: Task | Attempt) -> dict[str, Any]:
    return {
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "total_tokens": row.total_tokens,
        "cached_tokens": row.cached_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "reported": row.usage_reported,
    }
