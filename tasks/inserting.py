"""Inserts rows with a statement that is made once for each table.

`bulk_create` makes its statement anew each time, and takes every value through a chain of methods. For the rows that
every answer waits for, that takes three times as long as the database does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from tasks.cursors import driver_cursor, placeholder

Prepare = Callable[[Any, BaseDatabaseWrapper], Any]

# Their values are what the database's driver takes; those of all others are prepared by their field.
_PLAIN = (models.CharField, models.TextField, models.IntegerField, models.FloatField, models.BooleanField)


# The driver keeps a statement for each number of rows, with its values: so there are few. SQLite takes 32,766 values in
# one (https://www.sqlite.org/limits.html#max_variable_number).
_SIZES = (128, 32, 8, 2, 1)


def insert(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one table, within a transaction. A key that the database makes is not read back.

    Raises `IntegrityError` where one of them is there already.
    """
    if not rows:
        return
    statement = _statement(type(rows[0]))
    database = connections[DEFAULT_DB_ALIAS]  # itself: each look through `connection` costs more than a value does
    with driver_cursor() as cursor:
        for some in _in_few_sizes(rows):
            # In one step: the driver lets other threads in at each, and has to wait for its turn again.
            cursor.execute(
                statement.sql(len(some)), [value for row in some for value in statement.values(row, database)]
            )
    for row in rows:
        row._state.adding = False  # noqa: SLF001 - https://docs.djangoproject.com/en/5.2/ref/models/instances/#state


def _in_few_sizes(rows: Sequence[models.Model]) -> Iterator[Sequence[models.Model]]:
    start = 0
    while start < len(rows):
        size = next(size for size in _SIZES if size <= len(rows) - start)
        yield rows[start : start + size]
        start += size


class _Statement:
    def __init__(self, table: type[models.Model]) -> None:
        fields = [field for field in table._meta.concrete_fields if not isinstance(field, models.AutoField)]
        quote = connection.ops.quote_name
        columns = ", ".join(quote(str(field.column)) for field in fields)
        places = ", ".join([placeholder()] * len(fields))
        self._insert = f"INSERT INTO {quote(table._meta.db_table)} ({columns}) VALUES "  # noqa: S608
        self._row = f"({places})"
        self._read: Callable[[models.Model], tuple[Any, ...]] = attrgetter(*(field.attname for field in fields))
        self._prepared = [(place, _preparation(field)) for place, field in enumerate(fields) if not _is_plain(field)]

    def sql(self, rows: int) -> str:
        return self._insert + ", ".join([self._row] * rows)

    def values(self, row: models.Model, database: BaseDatabaseWrapper) -> list[Any]:
        values = [value.value if isinstance(value, Enum) else value for value in self._read(row)]
        for place, prepare in self._prepared:
            values[place] = prepare(values[place], database)
        return values


def _is_plain(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, _PLAIN)


def _preparation(field: models.Field[Any, Any]) -> Prepare:
    """What makes a value ready for the driver. For SQLite what Django does for a field, without its dozen calls."""
    if connection.vendor == "sqlite":
        target = field.target_field if isinstance(field, models.ForeignKey) else field
        for kind, prepare in _FOR_SQLITE.items():
            if type(target) is kind:
                return prepare
    return field.get_db_prep_save


def _moment(value: datetime | None, database: BaseDatabaseWrapper) -> str | None:
    if value is None:
        return None
    if value.tzinfo is UTC:
        return str(value)[:-6]  # without "+00:00"
    return str(database.ops.adapt_datetimefield_value(value))


def _json(value: Any, _database: BaseDatabaseWrapper) -> str | None:
    if not value and type(value) in _EMPTY:
        return _EMPTY[type(value)]
    return None if value is None else json.dumps(value)


_EMPTY: Mapping[type, str] = {list: "[]", dict: "{}"}
# https://docs.djangoproject.com/en/5.2/ref/models/fields/ says how each is stored.
_FOR_SQLITE: Mapping[type[models.Field[Any, Any]], Prepare] = {
    models.UUIDField: lambda value, _database: value and value.hex,
    models.DateTimeField: _moment,
    models.JSONField: _json,
}


@cache
def _statement(table: type[models.Model]) -> _Statement:
    return _Statement(table)
