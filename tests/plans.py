"""How SQLite goes about what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def plans() -> Iterator[list[tuple[str, str]]]:
    """The statements that read tasks, each with how SQLite goes about it with just these parameters."""
    found: list[tuple[str, str]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if 'FROM "tasks_task"' in sql:
            execute(f"EXPLAIN QUERY PLAN {sql}", params, many, context)
            steps = [step for *_, step in context["cursor"].fetchall()]
            found.extend((sql, step) for step in steps if " tasks_task" in step)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found
