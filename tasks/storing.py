"""How tasks get into the database, are closed there, and leave it: each in one transaction with what counts them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from tasks import signals
from tasks.inserting import insert
from tasks.models import OPEN, Attempt, Task, TaskCount, TaskQuerySet

# So many tasks are closed or deleted in one transaction, so that nobody waits long for the database meanwhile.
SLICE = 500
_COLUMNS = [field.name for field in Task._meta.concrete_fields if field.name not in ("id", "cancel_requested")]
# What a task is counted by.
_COUNTED = ("status", "service_used", "model_used", "task_type", "cost_basis", "created_at", "completed_at")


def store(tasks: Iterable[Task], attempts: Sequence[Attempt] = ()) -> None:
    """Insert or update tasks, each at most once in `tasks`, and insert their attempts: all of it or nothing.

    Storing again what is stored already changes nothing. A task that has ended is not opened again; where it
    ended twice (taken for dead, and then done after all) the latter counts, and the former no longer does.
    Raises `IntegrityError` where a task is there already that was not known to be: see `may_be_stored`.
    """
    with transaction.atomic():
        tasks = sorted(tasks, key=lambda task: task.pk)
        before = _lock([task.pk for task in tasks if not _is_new(task)])
        tasks = [task for task in tasks if not task.is_open or task.pk not in before or before[task.pk].is_open]
        _write([task for task in tasks if task.pk not in before], [task for task in tasks if task.pk in before])
        added = _insert_new(attempts, before)
        _count([before[task.pk] for task in tasks if task.pk in before], tasks, added)


def may_be_stored(task: Task) -> None:
    """Have `store` look whether a task is there already, as it does for each that it has stored before."""
    task._state.adding = False  # noqa: SLF001 - https://docs.djangoproject.com/en/5.2/ref/models/instances/#state


def interrupt(tasks: TaskQuerySet) -> int:
    """Close those still open of tasks whose process is gone, and with it whatever it waited for. Returns how many."""
    closed = 0
    while some := _interrupt_some(tasks.open()):
        closed += some
    return closed


def prune(older_than: timedelta) -> int:
    """Delete finished tasks created before that long ago, with their attempts. Returns how many."""
    before, deleted = timezone.now() - older_than, 0
    while some := _prune_some(before):
        deleted += some
    return deleted


# Most tasks are written once, as ended, and never looked up: this is on the way of every answer.


def _is_new(task: Task) -> bool:
    return task._state.adding  # noqa: SLF001 - as above


def _lock(ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Task]:
    """The rows there are already, as far as they are counted, kept from changing until the transaction ends."""
    if not ids:
        return {}
    rows = Task.objects.filter(pk__in=ids).order_by("pk").select_for_update()
    return {task.pk: task for task in rows.only(*_COUNTED)}


def _write(new: list[Task], known: list[Task]) -> None:
    insert(new)
    if known:
        Task.objects.bulk_create(known, update_conflicts=True, unique_fields=["id"], update_fields=_COLUMNS)


def _insert_new(attempts: Sequence[Attempt], tasks: Mapping[uuid.UUID, Task]) -> list[Attempt]:
    """Insert the attempts that are not there yet: only those of `tasks` can be."""
    if not attempts:
        return []
    known: set[tuple[uuid.UUID, int]] = set()
    if tasks:
        known.update(Attempt.objects.filter(task_id__in=list(tasks)).values_list("task_id", "number"))
    new = [attempt for attempt in attempts if (attempt.task_id, attempt.number) not in known]
    insert(new)
    return new


@transaction.atomic
def _interrupt_some(tasks: TaskQuerySet) -> int:
    after = list(tasks.order_by("pk").select_for_update().only(*_COUNTED)[:SLICE])
    before = [copy(task) for task in after]
    for task in after:
        task.interrupt()
    Task.objects.bulk_update(after, ["status", "error_code", "error_detail", "completed_at"])
    _count(before, after)
    return len(after)


@transaction.atomic
def _prune_some(created_before: datetime) -> int:
    old = Task.objects.exclude(status__in=OPEN).filter(created_at__lt=created_before).order_by("created_at")
    tasks = list(old.select_for_update().only(*_COUNTED)[:SLICE])
    ids = [task.pk for task in tasks]
    Attempt.objects.filter(task_id__in=ids).delete()
    Task.objects.filter(pk__in=ids).delete()
    _tally(tasks, ())
    return len(tasks)


def _count(before: Sequence[Task], after: Sequence[Task], attempts: Sequence[Attempt] = ()) -> None:
    _tally(before, after)
    ended = [task for task in after if not task.is_open]
    if ended:
        revoked = [task for task in before if not task.is_open]
        signals.tasks_recorded.send(Task, ended=ended, attempts=attempts, revoked=revoked)


def _tally(before: Iterable[Task], after: Iterable[Task]) -> None:
    numbers = Counter(_key(task) for task in after)
    for task in before:
        numbers[_key(task)] -= 1
    TaskCount.add({key: (number,) for key, number in numbers.items()})


def _key(task: Task) -> tuple[str, str, str]:
    return task.status, task.service_used, task.task_type
