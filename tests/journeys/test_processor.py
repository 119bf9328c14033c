"""A process keeps to one processor, and so does none of the programs that it starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.live import LiveOxide

ALL = os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(len(ALL) == 1, reason="there is one processor alone")


def places(oxide: LiveOxide) -> set[frozenset[int]]:
    """Where the threads of the process may run."""
    threads = Path(f"/proc/{oxide.process.pid}/task").iterdir()
    return {frozenset(os.sched_getaffinity(int(thread.name))) for thread in threads}


def test_all_threads_run_in_one_place_and_programs_where_they_like(live: LiveOxide) -> None:
    live.declare("count", type="cli", command=["sh", "-c", "sleep 0.1; nproc"], model="")
    live.start()
    assert live.execute(service="count").json()["result"].strip() == str(len(ALL))
    (place,) = places(live)
    assert len(place) == 1


def test_who_wants_all_processors_gets_them(live: LiveOxide) -> None:
    live.environment["OXIDE_PROCESSORS"] = "all"
    live.start()
    assert places(live) == {frozenset(ALL)}
