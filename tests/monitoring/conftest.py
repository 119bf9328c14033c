from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from tasks.models import Attempt, Task
from tasks.storing import store

Record = Callable[..., Task]


@pytest.fixture
def record(db: None) -> Record:
    """Store an ended task with its attempts, each given as a dictionary; one that went well if none is given."""

    def make(
        *attempts: dict[str, Any], status: str = "completed", ended: datetime | None = None, **fields: Any
    ) -> Task:
        given = attempts or ({},)
        last = {"service": "first", "model": "alpha", "cost_basis": "computed", **given[-1]}
        answered = status == "completed"
        values = {
            "service_used": last["service"] if answered else "",
            "model_used": last["model"] if answered else "",
            "cost_basis": last["cost_basis"],
            "completed_at": ended or timezone.now(),
        }
        task = Task(**{"prompt": "Fine.", "task_type": "general", "status": status, **values, **fields})
        store([task], [make_attempt(task, number, **attempt) for number, attempt in enumerate(given, 1)])
        return task

    return make


def make_attempt(task: Task, number: int, **fields: Any) -> Attempt:
    defaults = {
        "service": "first",
        "model": "alpha",
        "status": "completed",
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "cost_nanodollars": 2_000_000,
        "cost_basis": "computed",
        "latency_ms": 120.0,
    }
    return Attempt(task=task, number=number, **{**defaults, **fields})


FAILED: dict[str, Any] = {
    "status": "failed",
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "cost_nanodollars": 0,
    "cost_basis": "",
    "latency_ms": 3.0,
}
