"""Keeps a serving process on one processor at a time, where the operating system lets it (Linux).

Python runs one thread at a time, and a request changes threads a dozen times. A thread that sleeps on another
processor takes long to wake, and until it is awake nobody runs; on the same one it is a change of context. What runs
without Python's lock (libcurl, SQLite) could use a second processor, and takes less than that costs.
"""

from __future__ import annotations

import logging
import os
import random
import re
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

logger = logging.getLogger(__name__)

# Another processor must be freer by this share of its time before the process moves there.
ADVANTAGE = 0.25


@dataclass(frozen=True, slots=True)
class _Seen:
    """Seconds so far: of the clock, of work of this process, and of each processor's work for whomever."""

    clock: float
    own: float
    busy: Mapping[int, float]

    @classmethod
    def now(cls) -> Self:
        return cls(time.monotonic(), time.process_time(), _busy())


class Place:
    """Where the process runs: on one of `processors`, once it has seen what others leave of them.

    Raises `OSError` where it may not choose.
    """

    def __init__(self, processors: Collection[int]) -> None:
        self._processors = sorted(processors)
        self._at: int | None = None
        self._seen = _Seen.now()
        self._go()

    def keep(self) -> None:
        """Move to where others leave more time, and have threads of libraries follow. To be said every second or so."""
        free = self._free()
        self._at = self._first(free) if self._at is None else self._better(free, self._at)
        self._go()

    def _first(self, free: Mapping[int, float]) -> int:
        most = max(free.values(), default=0.0)
        good = [cpu for cpu in self._processors if free.get(cpu, most) >= most - ADVANTAGE]
        return random.choice(good)  # noqa: S311 - so that workers begin apart

    def _better(self, free: Mapping[int, float], at: int) -> int:
        best = max(free, key=free.__getitem__, default=at)
        # By chance: of two processes in one place, one should stay.
        is_better = best != at and free[best] > free[at] + ADVANTAGE and random.random() < 0.5  # noqa: S311
        return best if is_better else at

    def _free(self) -> dict[int, float]:
        """The share of each processor's time that this process had or could have had, since this was last asked."""
        before, self._seen = self._seen, _Seen.now()
        seconds, own = self._seen.clock - before.clock, self._seen.own - before.own
        known = [cpu for cpu in self._processors if cpu in self._seen.busy and cpu in before.busy]
        others = {cpu: self._seen.busy[cpu] - before.busy[cpu] - (own if cpu == self._at else 0) for cpu in known}
        return {cpu: 1 - taken / seconds for cpu, taken in others.items()}

    def _go(self) -> None:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), self._processors if self._at is None else {self._at})


def _busy() -> Mapping[int, float]:
    """https://man7.org/linux/man-pages/man5/proc_stat.5.html; empty where the system does not tell."""
    found = {}
    with suppress(OSError):
        for line in Path("/proc/stat").read_text().splitlines():
            name, *numbers = line.split()
            if re.fullmatch(r"cpu\d+", name):
                user, nice, system, _idle, _waiting, *interrupts = map(int, numbers[:8])
                found[int(name[3:])] = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return found


def choose() -> Place | None:
    """None where there is nothing to choose, or it may not be chosen."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    processors = os.sched_getaffinity(0)
    if len(processors) == 1:
        return None
    try:
        return Place(processors)
    except OSError as error:
        logger.info("The process stays on every processor: the system does not let it choose one (%s).", error)
        return None
