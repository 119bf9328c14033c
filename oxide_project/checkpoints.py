"""Keeps SQLite's WAL short, at as little cost to those who commit as can be."""

from __future__ import annotations

from snapshots.connections import checkpoint
from tasks.recorder import recorder

# 64 MB, which a busy process writes in two or three seconds.
MOST_PAGES = 16_000


def keep_wal_short() -> None:
    """The bulk is moved while others commit. Under steady load there is always something new by then, and the WAL would
    never begin anew: so where it has grown long, the little that is left is moved while no task is recorded.
    """
    if checkpoint() > MOST_PAGES:
        with recorder.held():
            checkpoint()
