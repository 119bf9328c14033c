"""Prompts, answers and secrets lie in the data folder: it is nobody else's to read, whoever made it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)

DATABASE = "oxide.sqlite3"
# SQLite gives its -wal and -shm the mode of the database. https://www.sqlite.org/wal.html
_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", "secret.key", "serve.lock")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def close_data_folder(folder: Path) -> None:
    """Take the rights of others from the folder and from Oxide's files in it.

    A folder that is shared, such as /tmp, or belongs to somebody else is left as it is.
    """
    found = folder.stat()
    if not found.st_mode & stat.S_ISVTX and found.st_uid == os.geteuid():
        _close(folder)
    for name in _FILES:
        _close(folder / name)


def create_closed(database: Path) -> None:
    """Have the database begin as a file of ours alone. SQLite would make one that others can read."""
    os.close(os.open(database, os.O_RDWR | os.O_CREAT, 0o600))


def _close(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & _OTHERS and not path.is_symlink():
            path.chmod(mode & ~_OTHERS)
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("Others may read %s: %s. Take their rights away (chmod go= ...).", path, error.strerror)
