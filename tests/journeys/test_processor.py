"""A process keeps to one processor, and so does none of the programs that it starts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live import LiveOxide
from tests.waiting import wait_until

ALL = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(len(ALL) == 1, reason="there is one processor alone")


def places(oxide: LiveOxide) -> set[frozenset[int]]:
    """Where the threads of the process may run."""
    found = set()
    for thread in Path(f"/proc/{oxide.process.pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            found.add(frozenset(os.sched_getaffinity(int(thread.name))))
    return found


def test_all_threads_run_in_one_place_and_programs_where_they_like(live: LiveOxide) -> None:
    live.declare("count", type="cli", command=["sh", "-c", "sleep 0.1; nproc"], model="")
    live.start()
    wait_until(lambda: all(len(place) == 1 for place in places(live)))
    assert len(places(live)) == 1
    assert live.execute(service="count").json()["result"].strip() == str(len(ALL))


def test_who_wants_all_processors_gets_them(live: LiveOxide) -> None:
    live.environment["OXIDE_PROCESSORS"] = "all"
    live.start()
    assert places(live) == {frozenset(ALL)}
