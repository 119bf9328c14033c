"""A reader's terminal: one block after another, with the variables that the ones before have set."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.live import ROOT
from tests.programs import program
from tests.watch import watch

# curl tells each status aside of the answer, and its headers; the client's command is there without being installed.
_BEFORE = r"""
set -euo pipefail -o allexport
curl() { command curl --silent --show-error --dump-header "$HEADERS" --write-out '%{stderr}HTTP %{http_code}\n' "$@"; }
oxide() { python -m oxide_client "$@"; }
if test -f "$VARIABLES"; then source "$VARIABLES"; fi
"""
_AFTER = '\nexport -p > "$VARIABLES"\n'
_SECONDS = 30


@dataclass(frozen=True)
class Told:
    """What a block printed, and what each of its calls was answered with."""

    output: str = ""
    statuses: tuple[int, ...] = ()
    headers: str = ""


class Terminal:
    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        for name in ("bash", "curl", "jq"):
            program(name)
        # Where the reader stands: what a block writes is no part of the checkout.
        self._here = folder / "here"
        self._here.mkdir()
        (self._here / "manage.py").symlink_to(ROOT / "manage.py")
        self._headers = folder / "headers"
        own = {"HEADERS": str(self._headers), "VARIABLES": str(folder / "variables")}
        path = f"{Path(sys.executable).parent}:{environment['PATH']}"
        self._environment = {**environment, **own, "PATH": path, "PYTHONPATH": str(ROOT / "clients" / "python" / "src")}

    def run(self, script: str) -> Told:
        done = self._done("bash", "-c", _BEFORE + script + _AFTER)
        said = done.stderr.splitlines()
        statuses = [int(line[5:]) for line in said if re.fullmatch(r"HTTP \d{3}", line)]
        assert len(statuses) == len(said), f"It complained:\n{done.stderr}"
        headers = self._headers.read_text().replace("\r", "") if self._headers.exists() else ""
        return Told(done.stdout, tuple(statuses), headers)

    def run_python(self, script: str) -> Told:
        return Told(self._done(sys.executable, "-c", script).stdout)

    def _done(self, *command: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self._here,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        watch.note(command[0], done.stderr)
        assert done.returncode == 0, f"It ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done
