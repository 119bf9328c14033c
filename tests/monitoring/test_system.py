from __future__ import annotations

import os
import time

import psutil

from monitoring import system
from monitoring.system import Processor


def test_it_tells_the_machines_memory_in_megabytes() -> None:
    found = system.current()
    assert found["memory_total_mb"] == psutil.virtual_memory().total // 1024 // 1024
    assert 0 < found["memory_used_mb"] < found["memory_total_mb"]
    assert 0 < found["memory_percent"] < 100
    assert 0 < found["process_memory_mb"] < found["memory_total_mb"]


def test_the_processors_share_stays_within_bounds() -> None:
    shares = {system.current()["cpu_percent"] for _ in range(50)}
    assert all(0 <= share <= 100 for share in shares)


def test_a_busy_second_is_seen() -> None:
    processor = Processor()
    begin = time.monotonic()
    while time.monotonic() - begin < 1.1:
        pass
    assert processor.percent() >= 50 / (os.cpu_count() or 1)
