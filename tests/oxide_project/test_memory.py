"""What the C library keeps, seen in processes of their own: it cannot be undone in this one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from oxide_project.memory import ARENAS
from tests.live import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's")

# Each thread asks for memory while all others hold some.
ARENAS_OF_TWENTY_THREADS = """
import ctypes, threading
from oxide_project import memory
memory.share_arenas()
meeting = threading.Barrier(20)
def work():
    held = bytearray(50_000)
    meeting.wait()
threads = [threading.Thread(target=work) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
library = ctypes.CDLL(None)
library.fdopen.restype = ctypes.c_void_p
output = ctypes.c_void_p(library.fdopen(1, b"w"))
library.malloc_info(0, output)
library.fflush(output)
"""
# Nine in ten pieces are let go of; the tenth keeps each stretch from being given back by itself.
MEGABYTES_BEFORE_AND_AFTER = """
import psutil
from oxide_project import memory
def resident(): return psutil.Process().memory_info().rss // 1_000_000
pieces = [bytearray(50_000) for _ in range(2_000)]
pieces = pieces[::10]
before = resident()
memory.give_back()
print(before, resident())
"""


def run(code: str, **surroundings: str) -> str:
    surroundings = {**os.environ, **surroundings}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_threads_share_a_few_arenas() -> None:
    assert run(ARENAS_OF_TWENTY_THREADS).count("<heap nr=") <= ARENAS


def test_who_runs_it_may_set_another_number() -> None:
    assert run(ARENAS_OF_TWENTY_THREADS, MALLOC_ARENA_MAX="5").count("<heap nr=") == 5


def test_memory_that_lies_scattered_is_given_back() -> None:
    before, after = map(int, run(MEGABYTES_BEFORE_AND_AFTER).split())
    assert before - after > 60
