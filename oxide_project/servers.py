"""The servers that several processes share, PostgreSQL and Redis: how they are reached, and whether they answer.

Their addresses hold passwords: no message here shows an address as it was given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from oxide_project import env

if TYPE_CHECKING:
    import psycopg

POOL_SECONDS = 5
"""How long a thread waits for a free connection, or for the database to come back, before it fails."""


def database(url: str, connections: int) -> dict[str, Any]:
    """DATABASE_URL as an entry of `DATABASES`; its query (`?sslmode=require`) goes to libpq."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured("DATABASE_URL must begin with postgres://. To use SQLite, leave it unset.")
    try:
        entry: dict[str, Any] = dict(dj_database_url.parse(url, conn_health_checks=True))
    except ValueError:
        entry = {}
    _require_own_password("DATABASE_URL", str(entry.get("PASSWORD") or ""))
    if not entry.get("NAME"):
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read. Write postgres://user:password@host:5432/name, with special characters "
            "in the password percent-encoded (@ is %40)."
        )
    return {**entry, "OPTIONS": {**_PATIENCE, **entry.get("OPTIONS", {}), "pool": _pool(connections)}}


def require_redis_url(url: str) -> None:
    """Raises `ImproperlyConfigured` for a REDIS_URL that cannot be used."""
    if not _is_redis(url):
        raise ImproperlyConfigured(
            "REDIS_URL cannot be read. Write redis://:password@host:6379/0, with special characters in the password "
            "percent-encoded (@ is %40); rediss:// is the same over TLS."
        )
    _require_own_password("REDIS_URL", urlsplit(url).password or "")


def _require_own_password(name: str, password: str) -> None:
    if env.is_example(password):
        raise ImproperlyConfigured(f"{name} has the password of an example, which everybody can read. Set another one.")


def connect_to_database() -> psycopg.Connection[Any]:
    """A connection beside Django's, for the caller to close. Fails at once, and with the server's own reason."""
    import psycopg  # noqa: PLC0415 - only who uses PostgreSQL pays for loading it
    from django.db import connection  # noqa: PLC0415 - settings import this module

    parameters = connection.get_connection_params()
    try:
        # Not through the pool: it hides the reason and tries again until it runs out of time.
        return psycopg.connect(**{**parameters, "autocommit": True})
    except psycopg.Error as error:
        reason = _first_line(error).replace(str(parameters.get("password") or "\n"), "...")
        raise ImproperlyConfigured(
            f"DATABASE_URL: the database cannot be used: {reason}. Check that PostgreSQL runs there, and host, port, "
            "user, password and name in DATABASE_URL."
        ) from None


def redis_problem(url: str) -> str:
    """Why Redis does not answer, as one line for the log; "" where it does."""
    import redis  # noqa: PLC0415 - only who uses Redis pays for loading it

    from apikeys import counters  # noqa: PLC0415 - settings import this module

    try:
        if counters.answers(url):
            return ""
        reason = "its answer to PING is none"
    except (redis.RedisError, OSError, *counters.NONSENSE) as error:
        reason = _first_line(error)
    return f"REDIS_URL: Redis does not answer: {reason}. Check that it runs there, and the address in REDIS_URL."


_PATIENCE = {
    "connect_timeout": 3,
    # A server that vanished without a word is given up after so many milliseconds instead of a quarter of an hour.
    # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TCP-USER-TIMEOUT
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 15,
}


def _pool(connections: int) -> dict[str, Any]:
    return {
        "min_size": 0,  # commands need one connection, if any
        "max_size": connections,
        "timeout": POOL_SECONDS,
        # The pool doubles its delay from try to try until this ends; then the next who asks begins anew.
        "reconnect_timeout": POOL_SECONDS,
    }


def _is_redis(url: str) -> bool:
    import redis  # noqa: PLC0415 - only who uses Redis pays for loading it

    try:
        parts = urlsplit(url)
        redis.ConnectionPool.from_url(url).make_connection()  # knows which options there are; does not connect yet
    except (ValueError, TypeError):
        return False
    if parts.scheme == "unix":
        return bool(parts.path)
    return bool(parts.hostname and re.fullmatch(r"/?\d*", parts.path))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
