"""The tasks that this process works on right now, so that they can be called off."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from services.adapters.call import CancelToken
from tasks.models import Task

_tokens: dict[uuid.UUID, CancelToken] = {}


@contextmanager
def registered(task: Task, cancel: CancelToken) -> Iterator[None]:
    _tokens[task.pk] = cancel
    try:
        yield
    finally:
        _tokens.pop(task.pk, None)


def cancel(task_id: uuid.UUID) -> bool:
    """Call a task off. Returns whether it was this process's to call off."""
    token = _tokens.get(task_id)
    if token:
        token.cancel()
    return token is not None


def cancel_all() -> None:
    for token in tuple(_tokens.values()):
        token.cancel()


def cancel_requested() -> None:
    """Call off those of our tasks that somebody asked another process to cancel."""
    ours = tuple(_tokens)
    if ours:
        asked = Task.objects.open().filter(pk__in=ours, cancel_requested=True)
        for task_id in asked.values_list("pk", flat=True):
            cancel(task_id)
