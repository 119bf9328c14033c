from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections


def release_connection() -> None:
    """Give this thread's database connection back where it is not in the middle of a transaction.

    Who is about to wait for a provider, or is a thread that ends soon, needs none; on PostgreSQL it
    would keep one of the pool from others. SQLite has one for each thread that wants one.
    """
    if not is_embedded() and not connection.in_atomic_block:
        close_old_connections()


@cache
def is_embedded() -> bool:
    """Whether the database is SQLite's, and this process the only one that serves from it."""
    return connection.vendor == "sqlite"


def checkpoint() -> int:
    """Move what was committed from SQLite's WAL to the database file. Who reads or writes meanwhile does not wait.

    Returns how many pages the WAL holds. It begins anew where a commit finds all of it moved.
    https://www.sqlite.org/wal.html#checkpointing
    """
    if not is_embedded():
        return 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        _is_blocked, pages, _moved = cursor.fetchone()
    return int(pages)


class SharedConnection:
    """One database connection that any thread may use, for as long as no other does."""

    def __init__(self) -> None:
        self._connection = connections.create_connection(DEFAULT_DB_ALIAS)
        self._connection.inc_thread_sharing()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """While the block lasts, this thread's connection is this one. Who asks sees to it that no other has it."""
        own = connections[DEFAULT_DB_ALIAS]
        connections[DEFAULT_DB_ALIAS] = self._connection
        try:
            yield
        finally:
            connections[DEFAULT_DB_ALIAS] = own
