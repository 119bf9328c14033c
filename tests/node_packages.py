"""The packages for JavaScript that tests need: those of tests/node's lock file."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.live import ROOT
from tests.made_once import made_once
from tests.programs import program

NODE = ROOT / "tests" / "node"
_NAMED_IN = ("package.json", "package-lock.json")


def node_packages() -> Path:
    """A folder with `node_modules`; they are fetched once for each lock file."""
    digest = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:16]
    return made_once(f"oxide-node-{digest}", _fetch)


def _fetch(folder: Path) -> None:
    for name in _NAMED_IN:
        shutil.copy(NODE / name, folder)
    command = [program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
