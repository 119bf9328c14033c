"""What the database says, kept in memory so that a task need not ask it.

A snapshot is an immutable value computed from rows. The process that changes the rows reloads it
as its transaction commits; every other process notices within a second, because the change also
raised a number in the `Revision` table, which `follow_all` looks at. While a reload fails (the
database is away) the last good value goes on serving.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import transaction

from snapshots.connections import release_connection
from snapshots.models import Revision

logger = logging.getLogger(__name__)

T = TypeVar("T")
_registry: list[Snapshot[object]] = []


class Snapshot(Generic[T]):
    """`load` reads the rows and returns the value; it must not have been mutated by anyone since.

    `on_read` is called with the value before, None at first, and the one that was read. It must be quick.
    """

    def __init__(self, name: str, load: Callable[[], T], on_read: Callable[[T | None, T], None] | None = None) -> None:
        self.name = name
        self._load = load
        self._on_read = on_read
        self._lock = threading.Lock()
        self._value: T | None = None
        self._seen: int | None = None
        _registry.append(self)  # type: ignore[arg-type]

    def get(self) -> T:
        value = self._value
        if value is not None:
            return value
        with self._lock:  # of many that come first together, one reads for all
            return self._value if self._value is not None else self._read()

    def in_memory(self) -> T | None:
        """The value if it was read already: never asks the database."""
        return self._value

    def reload(self) -> T:
        with self._lock:
            return self._read()

    def changed(self) -> None:
        """To be called in the transaction that changes the rows."""
        Revision.bump(self.name)
        # However many rows one transaction changes, only the first of these finds something to reload.
        # Robust: what is committed must not fail any more, and `follow_all` tries again.
        transaction.on_commit(lambda: self.follow(Revision.numbers()), robust=True)

    def forget(self) -> None:
        """Read the rows anew at the next `get`. For tests, whose databases come and go."""
        self._value = None

    def follow(self, numbers: dict[str, int]) -> None:
        if self._value is not None and self._seen != numbers.get(self.name, 0):
            self.reload()

    def _read(self) -> T:
        # The number is read before the rows: a change in between costs one more reload, never a
        # stale value that looks fresh.
        try:
            seen = Revision.numbers().get(self.name, 0)
            before, value = self._value, self._load()
        finally:
            release_connection()
        self._value, self._seen = value, seen
        if self._on_read:
            self._on_read(before, value)
        return value


def read_all() -> None:
    """Know everything from the start, and so also where the database goes away before it is first needed."""
    for snapshot in _registry:
        snapshot.get()


def follow_all() -> None:
    """Reload every snapshot whose rows another process has changed, in the order in which they were made."""
    numbers = Revision.numbers()
    for snapshot in _registry:
        try:
            snapshot.follow(numbers)
        except Exception:
            # One that cannot be loaded must not keep the others from following.
            logger.exception("The snapshot %s could not be reloaded; the last good one goes on serving.", snapshot.name)


def forget_all() -> None:
    for snapshot in _registry:
        snapshot.forget()
