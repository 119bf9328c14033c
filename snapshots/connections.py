from __future__ import annotations

from django.db import close_old_connections, connection


def release_connection() -> None:
    """Give this thread's database connection back where it is not in the middle of a transaction.

    Who is about to wait for a provider, or is a thread that ends soon, needs none; on PostgreSQL it
    would keep one of the pool from others.
    """
    if not connection.in_atomic_block:
        close_old_connections()


def is_embedded() -> bool:
    """Whether the database is SQLite's, and this process the only one that serves from it."""
    return connection.vendor == "sqlite"
