"""The tasks that this process works on right now, so that they can be called off."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from apikeys.identity import ANYBODY, Identity
from services.adapters.call import CancelToken
from tasks.models import Task

_running: dict[uuid.UUID, tuple[Task, CancelToken]] = {}


@contextmanager
def registered(task: Task, cancel: CancelToken) -> Iterator[None]:
    _running[task.pk] = (task, cancel)
    try:
        yield
    finally:
        _running.pop(task.pk, None)


def cancel(task_id: uuid.UUID, identity: Identity = ANYBODY) -> bool:
    """Cancel a task if it runs in this process and `identity` may see it. Returns whether both are so."""
    task, token = _running.get(task_id, (None, None))
    if task is None or token is None or not identity.may_see(task.caller):
        return False
    token.cancel()
    return True


def cancel_all() -> None:
    for _task, token in tuple(_running.values()):
        token.cancel()


def cancel_requested() -> None:
    """Call off those of our tasks that somebody asked another process to cancel."""
    ours = tuple(_running)
    if ours:
        asked = Task.objects.open().filter(pk__in=ours, cancel_requested=True)
        for task_id in asked.values_list("pk", flat=True):
            cancel(task_id)
