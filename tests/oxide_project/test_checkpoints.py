from __future__ import annotations

from collections.abc import Callable

import pytest

from oxide_project import checkpoints
from tasks.recorder import recorder


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[bool]]:
    """Keeps a WAL of so many pages short, and returns for each time it was moved whether recording had to wait."""

    def keep(pages: int) -> list[bool]:
        waits: list[bool] = []

        def checkpoint() -> int:
            waits.append(must_wait())
            return pages

        monkeypatch.setattr(checkpoints, "checkpoint", checkpoint)
        checkpoints.keep_wal_short()
        return waits

    return keep


def must_wait() -> bool:
    """Whether whoever records a task now has to wait. Nothing is recorded meanwhile."""
    return recorder._turn.locked()


def test_a_short_wal_is_moved_while_tasks_are_recorded(moved: Callable[[int], list[bool]]) -> None:
    assert moved(checkpoints.MOST_PAGES) == [False]


def test_the_rest_of_a_long_one_is_moved_while_none_is(moved: Callable[[int], list[bool]]) -> None:
    assert moved(checkpoints.MOST_PAGES + 1) == [False, True]
    assert not must_wait()
