"""What takes long to make, and is the same for every run of the tests."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Callable
from pathlib import Path


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder outside of the project that `make` fills, once for each name: give what it is made from a part in it."""
    folder = Path(tempfile.gettempdir()) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be at it
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as around:
                made = Path(around) / "made"
                made.mkdir()
                make(made)
                made.rename(folder)  # whole or not at all
    return folder
