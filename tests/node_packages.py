"""The packages for JavaScript that tests need: those of tests/node's lock file."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.live import ROOT
from tests.programs import program

NODE = ROOT / "tests" / "node"
_NAMED_IN = ("package.json", "package-lock.json")


def node_packages() -> Path:
    """A folder outside of the project with `node_modules`; they are fetched once for each lock file."""
    npm = program("npm")
    digest = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"oxide-node-{digest}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be at it
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as around:
                made = Path(around) / "made"
                made.mkdir()
                for name in _NAMED_IN:
                    shutil.copy(NODE / name, made)
                command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
                subprocess.run(command, cwd=made, check=True, timeout=300)
                made.rename(folder)  # whole or not at all
    return folder
