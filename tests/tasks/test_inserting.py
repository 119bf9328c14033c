from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection, models, transaction

from tasks.inserting import insert
from tasks.models import Attempt, Status, Task, make_id

pytestmark = pytest.mark.django_db

ROUND = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ELSEWHERE = datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def stored(table: type[models.Model]) -> list[tuple[Any, ...]]:
    """As the database has it, column by column, but for the key that it makes itself."""
    columns = [str(field.column) for field in table._meta.concrete_fields if not isinstance(field, models.AutoField)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM {table._meta.db_table} ORDER BY 1, 2")  # noqa: S608
        return list(cursor.fetchall())


def task(**fields: Any) -> Task:
    return Task(status=Status.COMPLETED, task_type="general", prompt="Grüße 🙂", started_at=ROUND, **fields)


def tasks() -> list[Task]:
    return [
        task(id=make_id(), messages=[{"role": "user", "content": "ä\u2028"}], completed_at=ELSEWHERE),
        task(id=make_id(), decision={"candidates": [], "skipped": []}, tool_calls=[{"a": [1, 2.5, None, True]}]),
    ]


def test_rows_are_stored_just_as_django_stores_them() -> None:
    rows = tasks()
    attempts = [
        Attempt(task=row, number=number, service="echo", model="m", started_at=ROUND)
        for row in rows
        for number in (1, 2)
    ]
    Task.objects.bulk_create(rows)
    Attempt.objects.bulk_create(attempts)
    by_django = stored(Task), stored(Attempt)
    Attempt.objects.all().delete()
    Task.objects.all().delete()
    with transaction.atomic():
        insert(rows)
        insert(attempts)
    assert (stored(Task), stored(Attempt)) == by_django


def test_more_rows_than_fit_in_one_statement() -> None:
    rows = [task(id=make_id()) for _ in range(450)]
    with transaction.atomic():
        insert(rows)
    assert Task.objects.count() == 450
