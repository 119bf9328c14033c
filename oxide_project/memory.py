"""Keeps the C library's memory small, where that is glibc: libcurl, SQLite and Python's larger objects live in it.

Python has its smaller objects elsewhere, and gives those places back by itself.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

# Python's lock lets one thread run at a time; the other is for what runs without it.
ARENAS = 2
_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_arenas() -> None:
    """Have all threads take memory from a few arenas. Otherwise each has one of its own, up to eight for each
    processor, and what one thread let go of lies there while another asks the system for more.

    To be said before there are threads. Another number, in MALLOC_ARENA_MAX, stands.
    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    set_option = _of_c_library("mallopt")
    if set_option and "MALLOC_ARENA_MAX" not in os.environ:
        set_option(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Let the system have the pages that nobody uses: under load they come to lie scattered, and their number grows
    with the hours. Takes half a millisecond, without Python's lock.

    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    if trim := _of_c_library("malloc_trim"):
        trim(ctypes.c_size_t(0))


def _of_c_library(name: str) -> Any:
    """One of its functions, or None where it has no such one (macOS, musl)."""
    return getattr(ctypes.CDLL(None), name, None)
