"""Bringing a process from nothing to ready: database, first data, first user."""

from __future__ import annotations

import fcntl
import gc
import resource
import secrets
import socket
from pathlib import Path
from typing import IO

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor

from config.apply import Changes, seed_if_new

BACKLOG = 4096
# Two PostgreSQL sessions that ask for a lock of this number wait for each other. https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
MIGRATION_LOCK = 0x6F786964


def claim_data_dir() -> IO[str] | None:
    """On SQLite, be the only process that serves from the data folder. Keep what is returned."""
    if not is_embedded():
        return None
    lock = Path(settings.DATA_DIR, "serve.lock").open("a")  # noqa: SIM115 - held until the process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(
            f"Another Oxide serves from {settings.DATA_DIR}. Stop it, or give this one its own OXIDE_DATA_DIR; "
            "several processes need DATABASE_URL and REDIS_URL."
        ) from None
    return lock


def is_embedded() -> bool:
    return connection.vendor == "sqlite"


def migrate() -> None:
    """Bring the database's tables up to date; of several processes that start together one does it."""
    if is_embedded():
        # Once and for the file, not for each connection: two that convert it at once get in each other's way.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
        _migrate_if_needed()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            _migrate_if_needed()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def _migrate_if_needed() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", database=DEFAULT_DB_ALIAS, interactive=False, verbosity=0)


def seed() -> Changes | None:
    return seed_if_new(settings.CONFIG_FILE)


def create_first_user() -> str | None:
    """Make an `admin` where there is no user yet. Returns the password, which is nowhere else."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = secrets.token_urlsafe(15)
    users.create_superuser(username="admin", password=password)
    return password


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """A listening socket. `shared`: several processes may have one each on the same port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        sock.close()
        raise CommandError(
            f"Cannot listen on {host}:{port}: {getattr(error, 'strerror', error)}. Try another --port."
        ) from None
    return sock


def raise_file_limit() -> None:
    """A call in flight takes a few descriptors; the usual soft limit of 1024 is too few for hundreds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def calm_garbage_collector() -> None:
    """What was loaded by now stays: the collector need not look at it again and again.

    With Python's default first threshold of 700 it runs many times in each request; with a very
    high one it pauses long when it does run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
