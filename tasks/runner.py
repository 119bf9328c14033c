"""This process as one that works on tasks: it says that it lives, and closes the tasks of those that died."""

from __future__ import annotations

import logging
import time
import uuid

from django.db import Error

from tasks import running
from tasks.models import Runner, Task
from tasks.storing import interrupt

logger = logging.getLogger(__name__)

_this = Runner.this_process()
_last_beat = float("-inf")
_unbroken_since = float("-inf")


def runner_id() -> uuid.UUID:
    return _this.id


def begin(*, alone: bool) -> None:
    """Enter the list of living processes. `alone`: no other can be at work, so whatever is open was left behind."""
    _beat()
    if alone:
        Runner.objects.exclude(pk=_this.pk).delete()
        close_left_behind()


def beat() -> None:
    """To be called about once a second: cancel what others asked for, say that we live, bury the dead."""
    running.cancel_requested()
    if time.monotonic() - _last_beat >= Runner.BEAT_SECONDS:
        _beat()
        if _last_beat - _unbroken_since >= Runner.LOST_AFTER.total_seconds():
            Runner.lost().delete()
            close_left_behind()


def end() -> None:
    """Leave the list: nothing of ours is running any more."""
    try:
        Runner.objects.filter(pk=_this.pk).delete()
    except Error:
        logger.warning("The database is away: other processes will find out by themselves that this one has ended.")


def close_left_behind() -> int:
    """Mark the open tasks of processes that are not in the list any more as interrupted."""
    closed = interrupt(Task.objects.open().exclude(runner__in=Runner.objects.values("pk")))
    if closed:
        logger.warning("%d tasks were left open by a process that ended: they are marked as interrupted.", closed)
    return closed


def _beat() -> None:
    global _last_beat, _unbroken_since  # noqa: PLW0603 - one process, one heart
    _this.beat()
    now = time.monotonic()
    # Who could not beat for a while must not judge others: the database may have been away for all.
    if now - _last_beat > 2 * Runner.BEAT_SECONDS:
        _unbroken_since = now
    _last_beat = now
