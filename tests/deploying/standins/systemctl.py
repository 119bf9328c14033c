"""In place of systemctl where no systemd runs: it starts and ends what the units say, as their user.

The real one is asked to enable them, which takes none that runs. What a unit forbids its service is not carried out.
"""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")


def main(command: str, *words: str) -> None:
    (name,) = [word.removesuffix(".service") for word in words if word != "--now"]
    if command == "enable":
        subprocess.run(["/usr/bin/systemctl", "--root=/", "enable", name], check=True, capture_output=True)
    if command in ("stop", "restart"):
        stop(name)
    if command in ("start", "restart") or "--now" in words:
        start(name)
    if command not in ("enable", "start", "stop", "restart"):
        sys.exit(f"{command} is not done here")


def start(name: str) -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False, delimiters=["="])
    unit.optionxform = str  # type: ignore[assignment,method-assign] # names of settings keep their capitals
    unit.read_string((UNITS / f"{name}.service").read_text())
    service = unit["Service"]
    for line in service.get("StateDirectory", "").split():
        folder = Path("/var/lib", line)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(int(service["StateDirectoryMode"], 8))
        subprocess.run(["chown", f"{service['User']}:{service['Group']}", str(folder)], check=True)
    with log_of(name).open("ab") as log:
        process = subprocess.Popen(
            shlex.split(service["ExecStart"]),
            cwd=service["WorkingDirectory"],
            env={"PATH": "/usr/bin:/bin", **environment(service)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=service["User"],
            group=service["Group"],
            extra_groups=[],
            umask=int(service["UMask"], 8),
        )
    if service["Type"] == "oneshot":
        sys.exit(process.wait())
    pid_of(name).write_text(str(process.pid))


def environment(service: configparser.SectionProxy) -> dict[str, str]:
    words = shlex.split(service["Environment"])
    file = Path(service["EnvironmentFile"].removeprefix("-"))
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(word.split("=", 1) for word in [*words, *lines] if word)


def stop(name: str) -> None:
    process = int(pid_of(name).read_text())
    os.kill(process, signal.SIGTERM)
    while Path("/proc", str(process)).exists():
        time.sleep(0.02)


def pid_of(name: str) -> Path:
    return Path("/run", f"{name}.pid")


def log_of(name: str) -> Path:
    return Path("/var/log", f"{name}.log")


main(*sys.argv[1:])
