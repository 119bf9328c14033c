"""Writes tasks to the database: one at a time in each process, many tasks for each commit.

A lone caller that saves writes by itself. Who comes while another writes waits for the thread:
everything that arrives meanwhile forms the next batch, so that a commit's cost is shared under
load. With one writer a process, SQLite's write lock is never fought over inside it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy

from django.db import Error, IntegrityError, InterfaceError, OperationalError, connection

from snapshots.connections import SharedConnection
from tasks import signals
from tasks.models import Attempt, Status, Task
from tasks.storing import interrupt, may_be_stored, store

logger = logging.getLogger(__name__)

BATCH = 200
# So many tasks whose callers were refused are kept for the time when the database is back.
KEPT = 1_000
# A task that ends sooner than this is written once, as ended; a longer one is seen running meanwhile.
START_DELAY_SECONDS = 0.1
SAVE_SECONDS = 30.0
_TRIES = 3
_AWAY = (OperationalError, InterfaceError)


class RecorderError(Exception):
    """The database did not take a task in time."""


class _Entry:
    """A task to be written, and whoever waits for that.

    A bare lock, because every answer passes here: a `Future` takes longer than all the rest of handing a task over.
    """

    __slots__ = ("_error", "_written", "attempts", "task")

    def __init__(self, task: Task, attempts: Sequence[Attempt] = ()) -> None:
        self.task = task
        self.attempts = attempts
        self._error: Exception | None = None
        self._written = threading.Lock()
        self._written.acquire()

    def settle(self, error: Exception | None = None) -> None:
        self._error = error
        self._written.release()

    def wait(self) -> None:
        if not self._written.acquire(timeout=SAVE_SECONDS):
            raise RecorderError(f"The database did not take the task within {SAVE_SECONDS:g} seconds.")
        if self._error:
            raise RecorderError(f"The database did not take the task: {self._error}") from self._error


class Recorder:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._entries: queue.SimpleQueue[_Entry] = queue.SimpleQueue()
        self._starts: dict[uuid.UUID, tuple[float, Task]] = {}
        self._committing_since: float | None = None
        # Whoever has the turn writes, on the one connection.
        self._turn = threading.Lock()
        self._connection = SharedConnection()

    def announce(self, task: Task) -> None:
        """Have a running task written before long, without waiting for it."""
        self._starts[task.pk] = (time.monotonic() + START_DELAY_SECONDS, task)
        self._ensure_running()

    def save(self, task: Task, attempts: Sequence[Attempt] = ()) -> None:
        """Make a task and its new attempts durable. Raises `RecorderError` where the database is away."""
        self._starts.pop(task.pk, None)
        entry = _Entry(task, attempts)
        if self._written_at_once(entry):
            return
        self._entries.put(entry)
        self._ensure_running()
        try:
            entry.wait()
        except RecorderError:
            if not task.is_open:
                signals.task_unrecorded.send_robust(Task, task=task)
            raise

    def _written_at_once(self, entry: _Entry) -> bool:
        """Where nobody else is writing, by the caller itself: to wake the thread takes longer than the commit."""
        if not self._entries.empty() or not self._turn.acquire(blocking=False):
            return False
        self._committing_since = time.monotonic()
        try:
            with self._connection.lent():
                _write([entry])
        except Exception:  # noqa: BLE001 - whatever it is, the thread tries again, and knows what to make of it
            may_be_stored(entry.task)
            return False
        finally:
            self._committing_since = None
            self._turn.release()
        return True

    def stop(self) -> None:
        """Write what is waiting and end the thread. A later `save` starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stopping = True
        if thread:
            thread.join()
        with self._turn, self._connection.lent():
            connection.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """While the block lasts, nothing is written; who saves waits."""
        with self._turn:
            yield

    @property
    def is_well(self) -> bool:
        """Whether whoever saves now may hope to be heard."""
        thread, since = self._thread, self._committing_since
        is_stuck = since is not None and time.monotonic() - since > SAVE_SECONDS
        return not is_stuck and (thread is None or thread.is_alive())

    def _ensure_running(self) -> None:
        if not self._is_running:
            with self._lock:
                if not self._is_running:
                    self._stopping = False
                    self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
                    self._thread.start()

    @property
    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while True:
            stopping = self._stopping
            batch = self._waiting()
            with self._turn:
                # Within the turn: else a task could end, and be written by its caller, before its start is.
                batch += self._due_starts()
                if batch:
                    with self._connection.lent():
                        self._committing_since = time.monotonic()
                        self._commit(batch)
                        self._committing_since = None
            if stopping and not batch:
                return

    def _waiting(self) -> list[_Entry]:
        """Everything that callers wait for, after a short wait for the first of it."""
        batch = []
        try:
            batch.append(self._entries.get(timeout=START_DELAY_SECONDS))
            while len(batch) < BATCH:
                batch.append(self._entries.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _due_starts(self) -> list[_Entry]:
        now = time.monotonic()
        due = [key for key, (when, _) in tuple(self._starts.items()) if when <= now]
        started = (self._starts.pop(key, None) for key in due)
        # Copies: their tasks go on meanwhile, and must not be counted as half ended. Whoever has ended is saved anyway.
        tasks = [_snapshot(start[1]) for start in started if start]
        return [_Entry(task) for task in tasks if task.status == Status.RUNNING]

    def _commit(self, batch: list[_Entry]) -> None:
        try:
            self._write_persistently(batch)
        except Exception as error:
            # Whatever it is, the callers are told, and this thread lives on.
            if isinstance(error, _AWAY) and _is_away():
                self._put_off(batch, error)
            elif len(batch) > 1:
                # One bad row must not cost the others: each on its own.
                for entry in batch:
                    self._commit([entry])
            else:
                logger.exception("A task could not be recorded.", exc_info=error)
                _close(batch[0].task)
                batch[0].settle(error)
        else:
            for entry in batch:
                entry.settle()

    def _put_off(self, batch: list[_Entry], error: Exception) -> None:
        """Refuse the callers, but keep the tasks: else one seen running would be so for ever, at no known cost."""
        kept = [] if self._stopping else batch[: max(0, KEPT - self._entries.qsize())]
        for entry in kept:
            self._entries.put(_Entry(entry.task, entry.attempts))
        for entry in batch:
            entry.settle(error)
        logger.error("The database is away. %d of %d tasks are kept to be written later.", len(kept), len(batch))

    def _write_persistently(self, batch: list[_Entry]) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                return _write(batch)
            except (*_AWAY, IntegrityError) as error:
                # The database restarted, or another process kept SQLite's write lock. An integrity error only after
                # that: the commit that broke off came through after all, while its rows were being written again.
                connection.close()
                for entry in batch:
                    may_be_stored(entry.task)
                if attempt == _TRIES or (attempt == 1 and isinstance(error, IntegrityError)):
                    raise
                time.sleep(0.2 * attempt)
        return None


def _write(batch: list[_Entry]) -> None:
    # A task stands in a batch twice where it was kept from an outage as running, and has ended since.
    tasks = {entry.task.pk: entry.task for entry in sorted(batch, key=lambda entry: not entry.task.is_open)}
    store(tasks.values(), [attempt for entry in batch for attempt in entry.attempts])


def _close(task: Task) -> None:
    """A task whose end cannot be written must not stay running where its beginning was."""
    try:
        interrupt(Task.objects.open().filter(pk=task.pk))
    except Exception:
        logger.exception("Task %s stays open in the database until this process ends.", task.pk)


def _snapshot(task: Task) -> Task:
    found = copy(task)
    may_be_stored(task)
    return found


def _is_away() -> bool:
    """Whether the database itself is the problem, and not what was to be written."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()
        return True
    return False


recorder = Recorder()
