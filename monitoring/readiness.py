"""Whether this process can do its work: `GET /ready`, for load balancers and whoever looks after Oxide.

What is wrong is said in words of our own: anybody may ask, and the errors of servers name hosts and users.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apikeys import counters
from tasks.recorder import recorder

logger = logging.getLogger(__name__)

_migrated = False


def problems() -> dict[str, str]:
    """For each part what is wrong with it and what to do; "" where nothing is."""
    found: dict[str, str] = {}
    for part, check in _CHECKS.items():
        if part == "migrations" and found["database"]:
            found[part] = "Cannot be seen while the database is away."
            continue
        try:
            found[part] = check()
        except Exception as error:  # noqa: BLE001 - whatever a part raises, it is not ready
            logger.warning("Not ready: %s: %s", part, error)
            found[part] = _ADVICE[part]
    return found


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    """Looked at until they are applied: a running process only loses that when somebody migrates backwards."""
    global _migrated  # noqa: PLW0603 - true once, true for ever
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "" if _migrated else _ADVICE["migrations"]


def _cache() -> str:
    return "" if not settings.REDIS_URL or counters.answers(settings.REDIS_URL) else _ADVICE["cache"]


def _recorder() -> str:
    return "" if recorder.is_well else _ADVICE["recorder"]


_CHECKS: Mapping[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "cache": _cache,
    "recorder": _recorder,
}
_ADVICE = {
    "database": "The database does not answer. Check that it runs, and DATABASE_URL or the disk that holds "
    "OXIDE_DATA_DIR.",
    "migrations": "The database's tables are not up to date. Run manage.py migrate, or start Oxide by manage.py serve.",
    "cache": "The cache does not answer. Check that Redis runs, and REDIS_URL.",
    "recorder": "Tasks cannot be recorded: the thread that writes them has ended or hangs. Restart Oxide.",
}
