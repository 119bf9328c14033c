"""How far tasks are. Models do not say, so it is estimated from what is known.

A queued task stands at 0, an ended one at 100. A running one stands at the greater of two shares: the time it has
taken so far of what its service usually takes, and, where its text is read along, the tokens it has got of those it
may have. It never stands above 95, and never goes back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from weakref import WeakSet

from django.utils import timezone

from tasks.models import Task

MOST = 95
# How long a service takes of which nothing is known yet, in seconds.
UNKNOWN_SECONDS = 10.0
# The newest answer's weight in what is usual.
_WEIGHT = 0.2
_CHARACTERS_A_TOKEN = 4
_FORGET_AFTER = timedelta(minutes=1)


@dataclass(slots=True)
class Running:
    """A task that this process works on, and what its model has said so far, `characters` in all.

    It `waits` while there is no free place at its service.
    """

    task: Task
    usual_seconds: float
    characters: int = 0
    progress: int = 0
    waits: bool = False
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.said)

    def still(self) -> Task | None:
        """The task as it stands at this instant; None once it has ended: that is told when it is recorded, not before.

        A copy: the thread that works on the task may end it at any moment.
        """
        task = copy(self.task)
        return task if task.is_open else None

    def advance(self) -> bool:
        """Estimate anew. Returns whether it has got on."""
        limit = self.task.parameters.get("max_tokens") if self.characters else None
        said = self.characters / _CHARACTERS_A_TOKEN / limit if limit else 0.0
        share = max((elapsed(self.task) or 0.0) / self.usual_seconds, said)
        before, self.progress = self.progress, max(self.progress, estimate(share))
        return self.progress > before


class Tracker:
    """The running tasks of this process, and how long its services usually take. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._usual: dict[str, float] = {}
        # Ended tasks that were told of before the database took them. It may never take some: they go with the tasks.
        self.told_early: WeakSet[Task] = WeakSet()

    def begin(self, task: Task) -> None:
        self._running[str(task.pk)] = Running(task, self.usual_seconds(service_of(task)))

    def end(self, task: Task) -> bool:
        """Returns whether it was running here."""
        running = self._running.pop(str(task.pk), None)
        if running and task.status == "completed" and task.execution_time is not None:
            self._learn(task.service_used, task.execution_time)
        return running is not None

    def note_text(self, task_id: str, text: str) -> int:
        """Keep text as it comes. Returns how many characters came before it."""
        running = self._running.get(task_id)
        if running is None:
            return 0
        before = running.characters
        running.said.append(text)
        running.characters += len(text)
        return before

    def begin_answer(self, task_id: str) -> bool:
        """A service begins to answer: what the one before had said no longer counts. Returns whether it had waited."""
        running = self._running.get(task_id)
        if running is None:
            return False
        running.characters = 0
        running.said.clear()
        waited, running.waits = running.waits, False
        return waited

    def note_wait(self, task_id: str) -> bool:
        """Returns whether it is news that the task waits for a free place."""
        running = self._running.get(task_id)
        if running is None or running.waits:
            return False
        running.waits = True
        return True

    @property
    def waiting(self) -> int:
        """How many tasks of this process wait for a free place at their service."""
        return sum(running.waits for running in self)

    def get(self, task_id: str) -> Running | None:
        return self._running.get(task_id)

    def __iter__(self) -> Iterator[Running]:
        return iter(tuple(self._running.values()))

    def forget_ended(self) -> None:
        """Those that the database never took. The others are gone already."""
        for running in self:
            ended = running.task.completed_at
            if ended and timezone.now() - ended > _FORGET_AFTER:
                self._running.pop(str(running.task.pk), None)

    def clear(self) -> None:
        self._running.clear()
        self._usual.clear()
        self.told_early.clear()

    def usual_seconds(self, service: str) -> float:
        return self._usual.get(service, UNKNOWN_SECONDS)

    def _learn(self, service: str, seconds: float) -> None:
        with self._lock:
            known = self._usual.get(service, seconds)
            self._usual[service] = max(0.001, known + _WEIGHT * (seconds - known))


tracker = Tracker()


def progress_of(task: Task) -> int:
    """0 to 100, for a task of any process."""
    if not task.is_open:
        return 100
    if task.status == "queued":
        return 0
    running = tracker.get(str(task.pk))
    if running:
        running.advance()
        return running.progress
    return estimate((elapsed(task) or 0.0) / tracker.usual_seconds(service_of(task)))


def estimate(share: float) -> int:
    return min(MOST, max(0, int(share * 100)))


def elapsed(task: Task) -> float | None:
    """Seconds since a task's start, or to its end."""
    if task.started_at is None:
        return None
    until = task.completed_at or timezone.now()
    return round(max(0.0, (until - task.started_at).total_seconds()), 3)


def service_of(task: Task) -> str:
    """Who does a task: the one that did or, as long as that is not known, the first that is asked."""
    if task.service_used or not task.is_open:
        return task.service_used
    return asked_first(task).get("service", "")


def asked_first(task: Task) -> Mapping[str, str]:
    """The service and the model that are asked first; empty where nobody can be."""
    candidates: Sequence[Mapping[str, str]] = task.decision.get("candidates") or [{}]
    return candidates[0]
