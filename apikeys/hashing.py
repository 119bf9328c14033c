"""Passwords are hashed a few at a time.

Each takes most of a second of processor, on purpose. Without a bound, whoever sends many logins at once would have the
whole process do nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 2
MOST_WAITING = 64
PATIENCE_SECONDS = 15.0
RETRY_SECONDS = 5

_places = threading.BoundedSemaphore(AT_ONCE)
_waiting = threading.BoundedSemaphore(MOST_WAITING)


class BusyError(Exception):
    """Too many wait already, or for too long."""


@contextmanager
def turn() -> Iterator[None]:
    """Wait for a place to hash one password. Raises `BusyError`."""
    if not _waiting.acquire(blocking=False):
        raise BusyError
    try:
        got_place = _places.acquire(timeout=PATIENCE_SECONDS)
    finally:
        _waiting.release()
    if not got_place:
        raise BusyError
    try:
        yield
    finally:
        _places.release()
