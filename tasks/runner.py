"""This process as one that works on tasks: it says that it lives, and closes the tasks of those that died."""

from __future__ import annotations

import logging
import time
import uuid

from django.utils import timezone

from tasks import running
from tasks.models import Runner, Task

logger = logging.getLogger(__name__)

_this = Runner.this_process()
_last_beat = 0.0


def runner_id() -> uuid.UUID:
    return _this.id


def begin(*, alone: bool) -> None:
    """Enter the list of living processes. `alone`: no other can be at work, so whatever is open was left behind."""
    beat()
    if alone:
        Runner.objects.exclude(pk=_this.pk).delete()
    close_left_behind()


def beat() -> None:
    """To be called about once a second: cancel what others asked for, say that we live, bury the dead."""
    global _last_beat  # noqa: PLW0603 - one process, one heart
    running.cancel_requested()
    if time.monotonic() - _last_beat >= Runner.BEAT_SECONDS:
        _last_beat = time.monotonic()
        _this.beat()
        Runner.lost().delete()
        close_left_behind()


def end() -> None:
    """Leave the list: nothing of ours is running any more."""
    Runner.objects.filter(pk=_this.pk).delete()


def close_left_behind() -> int:
    """Mark the open tasks of processes that are gone as interrupted."""
    living = Runner.objects.filter(seen_at__gte=timezone.now() - Runner.LOST_AFTER).values("pk")
    closed = Task.objects.open().exclude(runner__in=living).mark_interrupted()
    if closed:
        logger.warning("%d tasks were left open by a process that ended: they are marked as interrupted.", closed)
    return closed
