"""Tasks that nobody waits for: accepted at once, done in turn."""

from __future__ import annotations

import logging
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

from django.conf import settings
from django.db import Error

from tasks import signals
from tasks.errors import Code, TaskFailedError
from tasks.models import Task
from tasks.pipeline import Run, execute
from tasks.recorder import RecorderError, recorder
from tasks.runner import runner_id

logger = logging.getLogger(__name__)

# Threads of their own: they may wait long for a free place at a service, and must not keep callers out meanwhile.
AT_ONCE = max(1, settings.THREADS // 4)
MOST = 10_000


class QueueFullError(Exception):
    """Too many background tasks are waiting already."""


class Background:
    """Runs prepared tasks, `at_once` at a time and in the order in which they came."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="background")
        self._lock = threading.Lock()
        self._accepted: dict[uuid.UUID, tuple[Run, Future[None]]] = {}

    def submit(self, run: Run) -> Task:
        """Take a prepared task on. It is recorded as queued when this returns."""
        if len(self._accepted) >= MOST:
            raise QueueFullError(f"{MOST} background tasks are waiting already. Try again later.")
        run.patient = run.in_pieces = True  # whoever is interested reads along at /ws
        run.task.runner = runner_id()
        try:
            recorder.save(run.task)
        except RecorderError:
            # It may still be written once the database is back: not as one that waits for its turn.
            run.task.fail(Code.SERVICE_UNAVAILABLE, "The database was away when it was to be queued. Send it again.")
            raise
        signals.task_queued.send_robust(Task, task=run.task)
        with self._lock:
            self._accepted[run.task.pk] = (run, self._pool.submit(self._work, run))
        return run.task

    def cancel(self, task: Task) -> bool:
        """Call off a task that has not begun. Returns whether there was such a one."""
        with self._lock:
            run, future = self._accepted.get(task.pk, (None, None))
            if run is None or future is None or not future.cancel():
                return False
            del self._accepted[task.pk]
        run.task.cancel()
        recorder.save(run.task)
        return True

    @property
    def in_hand(self) -> int:
        """How many tasks are being worked on or wait for their turn."""
        return len(self._accepted)

    def stop(self) -> None:
        """Begin nothing more. What was not begun stays queued in the database."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, run: Run) -> None:
        try:
            _heed_requests(run)
            execute(run)
        except TaskFailedError:
            pass  # recorded with the task, where its owner will look
        except Exception:
            logger.exception("Background task %s failed.", run.task)
        finally:
            with self._lock:
                self._accepted.pop(run.task.pk, None)


def _heed_requests(run: Run) -> None:
    """Somebody may have asked another process to call the task off while it waited here."""
    try:
        if Task.objects.filter(pk=run.task.pk, cancel_requested=True).exists():
            run.cancel.cancel()
    except Error:
        logger.warning("The database is away: whether task %s was called off is looked up again later.", run.task)


background = Background()
