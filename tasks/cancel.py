"""Calling a task off, in whichever process it runs."""

from __future__ import annotations

from tasks import running
from tasks.background import background
from tasks.models import OPEN, Task


class AlreadyEndedError(Exception):
    """There is nothing left to cancel."""


def cancel(task: Task) -> None:
    """Ask for the end of an open task: at once where this process works on it, else within a second or so."""
    if task.status not in OPEN:
        raise AlreadyEndedError(f"Task {task.pk} is {task.status} already.")
    if running.cancel(task.pk) or background.cancel(task):
        return
    Task.objects.filter(pk=task.pk).update(cancel_requested=True)
