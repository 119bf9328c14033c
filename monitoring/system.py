"""The machine and this process, as they are now."""

from __future__ import annotations

import threading
import time
from typing import TypedDict

import psutil

MEGABYTE = 1024 * 1024
# Over less time than this, a share of processor time is mostly chance.
_LEAST_SECONDS = 1.0


class System(TypedDict):
    """The machine's processor and memory, and what this process has of them."""

    cpu_percent: float
    memory_percent: float
    memory_used_mb: int
    memory_total_mb: int
    process_memory_mb: int
    process_threads: int
    process_uptime_seconds: int


class Processor:
    """How busy all cores were, in percent, since it was last asked a second or more ago.

    psutil's own `cpu_percent(None)` measures for each thread that asks since that thread last asked, and here any
    thread of many may ask. https://psutil.readthedocs.io/latest/#psutil.cpu_percent
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = time.monotonic()
        self._busy, self._total = _processor_seconds()
        self._percent = 0.0

    def percent(self) -> float:
        with self._lock:
            now = time.monotonic()
            if now - self._asked >= _LEAST_SECONDS:
                busy, total = _processor_seconds()
                self._percent = _share(busy - self._busy, total - self._total)
                self._asked, self._busy, self._total = now, busy, total
            return self._percent


def current() -> System:
    memory = psutil.virtual_memory()
    return System(
        cpu_percent=_processor.percent(),
        memory_percent=float(memory.percent),
        memory_used_mb=memory.used // MEGABYTE,
        memory_total_mb=memory.total // MEGABYTE,
        process_memory_mb=process_memory() // MEGABYTE,
        process_threads=threading.active_count(),
        process_uptime_seconds=round(time.time() - _this.create_time()),
    )


def process_memory() -> int:
    """The bytes of this process that are in memory."""
    return int(_this.memory_info().rss)


def process_started() -> float:
    """When this process began, in seconds since 1970."""
    return float(_this.create_time())


def _processor_seconds() -> tuple[float, float]:
    """Seconds since the machine's start, of all cores together: busy, and all."""
    times = psutil.cpu_times()._asdict()
    # Linux counts the time of virtual machines again among the time of users.
    total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
    return total - times["idle"] - times.get("iowait", 0.0), total


def _share(part: float, whole: float) -> float:
    return round(min(100.0, max(0.0, part / whole * 100)), 1) if whole > 0 else 0.0


_this = psutil.Process()
_processor = Processor()
