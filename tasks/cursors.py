"""The database driver's own cursor, for the few statements that every answer waits for.

Django's looks through each statement for placeholders each time, and passes it through five functions.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


class driver_cursor:  # noqa: N801 - reads as a function; as a generator it would take three times as long
    """Within a transaction. Errors are Django's (`django.db.Error`); `placeholder` is what stands for a value."""

    __slots__ = ("_cursor", "_database")

    def __enter__(self) -> Any:
        self._database = connections[DEFAULT_DB_ALIAS]
        if self._database.connection is None:  # else a transaction has made sure of it
            self._database.ensure_connection()
        self._cursor: Any = self._database.connection.cursor()
        return self._cursor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cursor.close()
        if kind:
            self._database.wrap_database_errors.__exit__(kind, error, trace)


def placeholder() -> str:
    """https://peps.python.org/pep-0249/#paramstyle"""
    return "?" if connections[DEFAULT_DB_ALIAS].vendor == "sqlite" else "%s"
