"""The database driver's own cursor, for the few statements that every answer waits for.

Django's looks through each statement for placeholders each time, and passes it through five functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


@contextmanager
def driver_cursor() -> Iterator[Any]:
    """Within a transaction. Errors are Django's (`django.db.Error`); `placeholder` is what stands for a value."""
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    with database.wrap_database_errors:
        cursor = database.connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def placeholder() -> str:
    """https://peps.python.org/pep-0249/#paramstyle"""
    return "?" if connections[DEFAULT_DB_ALIAS].vendor == "sqlite" else "%s"
