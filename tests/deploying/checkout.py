"""What somebody has who has just cloned the repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.live import ROOT


def known() -> list[str]:
    """The files that git knows, or would know."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def copy(folder: Path) -> Path:
    for name in known():
        if (ROOT / name).is_file():  # not deleted since
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
