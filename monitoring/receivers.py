"""From the signals of the parts below to events (connected in monitoring/apps.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction

from monitoring import events
from monitoring.hub import hub
from monitoring.progress import tracker
from monitoring.statuses import statuses
from tasks.models import Task


def task_queued(task: Task, **_signal: Any) -> None:
    events.task_progress(task)


def task_started(task: Task, **_signal: Any) -> None:
    tracker.begin(task)
    events.task_progress(task)


def task_waits(task: Task, **_signal: Any) -> None:
    if tracker.note_wait(str(task.pk)):
        events.task_progress(task)


def answer_begins(task: Task, **_signal: Any) -> None:
    if tracker.begin_answer(str(task.pk)):
        events.task_progress(task)


def task_said(task: Task, text: str, **_signal: Any) -> None:
    events.task_delta(task, text)


def tasks_recorded(ended: Sequence[Task], **_signal: Any) -> None:
    # Told once it is true: a client that asks the database at once must find what it was told.
    transaction.on_commit(lambda: _tell_end(ended), robust=True)


def task_unrecorded(task: Task, **_signal: Any) -> None:
    # Who has seen it running must not go on waiting for an end that may only be written in hours, if ever.
    if tracker.end(task):
        tracker.told_early.add(task)
        events.task_progress(task)


def services_changed(**_signal: Any) -> None:
    statuses.tell_changes()


def _tell_end(tasks: Sequence[Task]) -> None:
    for task in tasks:
        tracker.end(task)
    news = [task for task in tasks if task not in tracker.told_early]
    if hub.is_open:
        for task in _whole(news):
            events.task_progress(task)


def _whole(tasks: Sequence[Task]) -> Iterable[Task]:
    """Tasks that were closed for a process that died come with a few columns only."""
    if any(task.get_deferred_fields() for task in tasks):
        return Task.objects.in_brief().filter(pk__in=[task.pk for task in tasks])
    return tasks
