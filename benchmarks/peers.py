"""Installs the peers that Oxide is measured against, each into an environment of its own under `var/peers`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.targets import PEERS

LITELLM = "litellm[proxy]==1.106.0"
PORTKEY = "@portkey-ai/gateway@1.15.2"


def install() -> None:
    PEERS.mkdir(parents=True, exist_ok=True)
    program = PEERS / "litellm" / "bin" / "litellm"
    if not program.exists():
        _run(sys.executable, "-m", "venv", str(PEERS / "litellm"))
        _run(str(PEERS / "litellm" / "bin" / "pip"), "install", "--quiet", LITELLM)
    folder = PEERS / "portkey"
    if not Path(folder, "node_modules").exists():
        folder.mkdir(exist_ok=True)
        _run("npm", "install", "--silent", "--prefix", str(folder), PORTKEY)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - ours
