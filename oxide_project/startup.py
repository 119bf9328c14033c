"""Bringing a process from nothing to ready: database, first data, first user."""

from __future__ import annotations

import fcntl
import gc
import logging
import resource
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor

from apikeys import client_keys, policy
from config.apply import Changes, seed_if_new
from oxide_project import servers
from snapshots.connections import is_embedded

logger = logging.getLogger(__name__)

BACKLOG = 4096
# PostgreSQL sessions that ask for a lock of this number wait for each other.
# https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
START_LOCK = 0x6F786964


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


def migrate() -> None:
    """Bring the database's tables up to date; of several processes that start together one does it."""
    if is_embedded():
        # Once and for the file, not for each connection: two that convert it at once get in each other's way.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
    with _one_at_a_time():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", database=DEFAULT_DB_ALIAS, interactive=False, verbosity=0)


def seed() -> Changes | None:
    with _one_at_a_time():
        return seed_if_new(settings.CONFIG_FILE)


def create_first_user() -> str | None:
    """Make an `admin` where there is no user yet. Returns the password, which is nowhere else."""
    users = get_user_model().objects
    with _one_at_a_time():
        if users.exists():
            return None
        password = secrets.token_urlsafe(15)
        users.create_superuser(username="admin", password=password)
    return password


def warn_of_ownerless_keys() -> None:
    """Keys made while authentication was off are refused from now on: say so before their programs find out."""
    names = client_keys.without_owner() if policy.current().auth_enabled else []
    if names:
        logger.warning(
            "Keys for programs without an owner are refused: %s. %s", ", ".join(names), client_keys.HOW_TO_ADOPT
        )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Where several processes may start together, let each wait for the one before it."""
    if is_embedded():
        yield  # the lock on the data folder keeps others away
        return
    # Not on Django's own connection: whoever closes that in between would give the lock away with it.
    with servers.connect_to_database() as session:
        session.execute("SELECT pg_advisory_lock(%s)", [START_LOCK])
        yield


def reach_redis(*, needed: bool) -> None:
    """Say that Redis is away: to a process that has others beside it as an error, else as a warning."""
    problem = servers.redis_problem(settings.REDIS_URL) if settings.REDIS_URL else ""
    if problem and needed:
        raise ImproperlyConfigured(f"{problem} Several workers count together there.")
    if problem:
        logger.warning(problem)


def let_go_of_database() -> None:
    """Keep no connection where nothing will use it for long: the pool is small."""
    connection.close()
    if not is_embedded():
        connection.close_pool()  # type: ignore[attr-defined]


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """A listening socket. `shared`: several processes may have one each on the same port."""
    return _open(host, port, shared=shared, backlog=BACKLOG)


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps a port for workers, each of which listens there with a socket of its own.

    It does not listen itself: the kernel would hand it connections that nobody accepts.
    """
    # Without SO_REUSEPORT first: that one would let us share the port with another Oxide that listens there.
    with _open(host, port, shared=False) as alone:
        port = alone.getsockname()[1]
    return _open(host, port, shared=True)


def _open(host: str, port: int, *, shared: bool, backlog: int | None = None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
        if backlog is not None:
            sock.listen(backlog)
    except (OSError, OverflowError) as error:
        sock.close()
        raise CommandError(
            f"Cannot listen on {host}:{port}: {str(getattr(error, 'strerror', error)).rstrip('.')}. "
            "Try another --port or --host."
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
