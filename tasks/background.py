"""Tasks that nobody waits for: accepted at once, done in turn."""

from __future__ import annotations

import logging
import threading
from collections import deque

from django.conf import settings

from tasks.errors import Code, TaskFailedError
from tasks.models import Task
from tasks.pipeline import Run, execute
from tasks.pool import pool
from tasks.recorder import RecorderError, recorder
from tasks.runner import runner_id

logger = logging.getLogger(__name__)

# They may wait long for a free place at a service, so most of the pool is kept for callers who hold the line.
AT_ONCE = max(1, settings.THREADS // 4)
WAITING = 10_000


class QueueFullError(Exception):
    """Too many background tasks are waiting already."""


_lock = threading.Lock()
_waiting: deque[Run] = deque()
_working = 0


def submit(run: Run) -> Task:
    """Take a prepared task on. It is recorded as queued when this returns."""
    if len(_waiting) >= WAITING:
        raise QueueFullError(f"{WAITING} background tasks are waiting already. Try again later.")
    run.patient = True
    run.task.runner = runner_id()
    recorder.save(run.task)
    with _lock:
        _waiting.append(run)
    _start_next()
    return run.task


def cancel_waiting(task: Task) -> bool:
    """Call off a task that has not begun. Returns whether there was such a one."""
    with _lock:
        run = next((run for run in _waiting if run.task.pk == task.pk), None)
        if run is None:
            return False
        _waiting.remove(run)
    run.task.cancel()
    recorder.save(run.task)
    return True


def _start_next() -> None:
    global _working  # noqa: PLW0603 - one queue a process
    with _lock:
        if not _waiting or _working >= AT_ONCE:
            return
        _working += 1
        run = _waiting.popleft()
    pool.submit(_work, run)


def _work(run: Run) -> None:
    global _working  # noqa: PLW0603 - one queue a process
    try:
        execute(run)
    except TaskFailedError:
        pass  # recorded with the task, where its owner will look
    except RecorderError:
        logger.exception("The outcome of background task %s could not be recorded.", run.task)
    except Exception:
        logger.exception("Background task %s failed with %s.", run.task, Code.INTERNAL_ERROR)
    finally:
        with _lock:
            _working -= 1
        _start_next()
