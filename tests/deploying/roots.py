"""A folder that programs can have as their root, with the machine's own programs in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.programs import program

LINKS = ("bin", "sbin", "lib", "lib64")
_FILES = ("passwd", "group", "shadow", "gshadow", "login.defs", "hosts", "nsswitch.conf", "resolv.conf", "ld.so.cache")


def needed() -> None:
    """Skip a test where no root of one's own can be had."""
    program("unshare")
    if os.geteuid() != 0:
        pytest.skip("only root can make a root of its own")


def make(root: Path) -> Path:
    """What stands in it before anything is mounted: /tmp, links into /usr, and a few files of /etc."""
    for folder in ("tmp", "usr/local", "etc"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for link in LINKS:
        (root / link).symlink_to(f"usr/{link}")
    for file in _FILES:
        if Path("/etc", file).exists():
            shutil.copy(Path("/etc", file), root / "etc")
    return root
