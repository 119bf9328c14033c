"""Waiting for a task in the background, by looking again and again."""

from __future__ import annotations

from oxide_client.answers import TaskDetail
from oxide_client.errors import (
    ConnectionFailedError,
    ConnectionLostError,
    DeadlineError,
    OxideError,
    RateLimitError,
    ServiceUnavailableError,
    of_task,
)
from oxide_client.retries import Deadline

# What says nothing about the task itself: it goes on meanwhile.
PASSING = (RateLimitError, ServiceUnavailableError, ConnectionFailedError, ConnectionLostError, DeadlineError)
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_GROWTH = 1.3


class Waiting:
    """How long to pause between looks. Short tasks are noticed soon, long ones cost few requests."""

    def __init__(self, task_id: str, deadline: Deadline) -> None:
        self._task_id = task_id
        self._deadline = deadline
        self._pause = _FIRST_PAUSE

    def ended(self, task: TaskDetail) -> bool:
        """Raises the task's own error where it failed."""
        if task["status"] == "failed":
            raise of_task(task)
        return task["status"] not in ("queued", "running")

    def next_pause(self, problem: OxideError | None = None) -> float:
        """Seconds until the next look. Raises `DeadlineError` where there is no time left."""
        if self._deadline.is_over:
            raise DeadlineError(
                f"Task {self._task_id} has not ended within {self._deadline.seconds:g} s and goes on. "
                "Wait again, or call it off with cancel_task.",
                task_id=self._task_id,
            ) from problem
        pause = self._pause
        self._pause = min(_LONGEST_PAUSE, pause * _GROWTH)
        asked = problem.retry_after or 0.0 if problem else 0.0
        return min(max(pause, asked), self._deadline.remaining)
