"""Inserts rows with a statement that is made once for each table.

`bulk_create` makes its statement anew each time, and takes every value through a chain of methods. For the rows that
every answer waits for, that takes three times as long as the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from tasks.cursors import driver_cursor, placeholder

# Their values are what the database's driver takes; those of all others are prepared by their field.
_PLAIN = (models.CharField, models.TextField, models.IntegerField, models.FloatField, models.BooleanField)


def insert(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one table, within a transaction. A key that the database makes is not read back.

    Raises `IntegrityError` where one of them is there already.
    """
    if not rows:
        return
    statement = _statement(type(rows[0]))
    database = connections[DEFAULT_DB_ALIAS]  # itself: each look through `connection` costs more than a value does
    with driver_cursor() as cursor:
        cursor.executemany(statement.sql, [statement.values(row, database) for row in rows])
    for row in rows:
        row._state.adding = False  # noqa: SLF001 - https://docs.djangoproject.com/en/5.2/ref/models/instances/#state


class _Statement:
    def __init__(self, table: type[models.Model]) -> None:
        fields = [field for field in table._meta.concrete_fields if not isinstance(field, models.AutoField)]
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in fields)
        places = ", ".join([placeholder()] * len(fields))
        self.sql = f"INSERT INTO {quote(table._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608
        self._read: Callable[[models.Model], tuple[Any, ...]] = attrgetter(*(field.attname for field in fields))
        self._prepared = [
            (place, field.get_db_prep_save) for place, field in enumerate(fields) if not isinstance(field, _PLAIN)
        ]

    def values(self, row: models.Model, database: BaseDatabaseWrapper) -> list[Any]:
        values = [value.value if isinstance(value, Enum) else value for value in self._read(row)]
        for place, prepare in self._prepared:
            values[place] = prepare(values[place], database)
        return values


@cache
def _statement(table: type[models.Model]) -> _Statement:
    return _Statement(table)
