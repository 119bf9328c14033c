"""A machine to put Oxide on, for guides to be followed on it: a root of its own, and a terminal there.

Its users, its /etc, /opt and /var are its own; programs are those of this machine. Only systemd does not run there:
`standins/` has two programs that take its place.
"""

from __future__ import annotations

import configparser
import shlex
import subprocess
import sys
from pathlib import Path

from tests.deploying import checkout, roots
from tests.live import ROOT, free_port

STANDINS = Path(__file__).parent / "standins"
CHECKOUT = "/root/oxide"
ENVIRONMENT = str(Path(sys.prefix).resolve())
_SETUP = """
set -eu
for folder in /usr /dev {python}; do
    mkdir -p {root}$folder; mount --rbind $folder {root}$folder
done
mount --types proc proc {root}/proc
for folder in {python}; do mount --options remount,bind,ro {root}$folder; done
# The mark that `make setup` leaves there.
touch {root}/run/installed && mount --bind {root}/run/installed {root}{environment}/.installed
exec /usr/sbin/chroot {root} /bin/bash -euo pipefail
"""
_END = "--- done ---"


class Machine:
    """Root is at work, in a checkout, where one command follows the other; the first that fails ends all."""

    def __init__(self, folder: Path) -> None:
        self.root = roots.make(folder / "machine")
        for name in ("proc", "run", "etc/systemd/system", "opt", "var/lib", "var/log", "standins"):
            (self.root / name).mkdir(parents=True)
        for file in STANDINS.glob("*.py"):
            program = self.root / "standins" / file.stem
            program.write_text(f"#!{ENVIRONMENT}/bin/python\n{file.read_text()}")
            program.chmod(0o755)
        self.port = free_port()
        self._check_out()
        self._process = self._start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def run(self, code: str) -> str:
        """What was printed."""
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{code}\necho '{_END}'\n")
        process.stdin.flush()
        printed = ""
        for line in process.stdout:
            if line.rstrip() == _END:
                return printed
            printed += line
        raise AssertionError(f"This failed:\n{code}\n{printed}")

    def as_service(self, code: str, unit: str = "oxide") -> str:
        """The same as the service's own user, where it works and with what it is told."""
        reader = configparser.ConfigParser(interpolation=None, strict=False, delimiters=["="])
        reader.read(ROOT / "deploy" / "systemd" / f"{unit}.service")
        service = reader["Service"]
        python = str(Path(service["ExecStart"].split()[0]).parent)
        environment = f"{service['Environment']} PATH={python}:/usr/bin"
        script = f"cd {service['WorkingDirectory']} && {code}"
        return self.run(
            f"setpriv --reuid {service['User']} --regid {service['Group']} --clear-groups "
            f"env --ignore-environment {environment} sh -c {shlex.quote(script)}"
        )

    def close(self) -> None:
        """All that runs on it ends with the first of its processes."""
        self._process.kill()
        self._process.communicate()

    def _check_out(self) -> None:
        """With a port that is free, and an environment in which `make setup` finds what it would download."""
        folder = checkout.copy(self.root / CHECKOUT.lstrip("/"))
        (folder / ".venv").symlink_to(ENVIRONMENT)
        unit = folder / "deploy" / "systemd" / "oxide.service"
        text = unit.read_text()
        assert "--port 8000" in text
        unit.write_text(text.replace("--port 8000", f"--port {self.port}"))

    def _start(self) -> subprocess.Popen[str]:
        python = [path for path in (ENVIRONMENT, sys.base_prefix) if not path.startswith("/usr")]
        script = _SETUP.format(root=self.root, python=" ".join(python), environment=ENVIRONMENT)
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
            env={"PATH": "/standins:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin
        process.stdin.write(f"cd {CHECKOUT}\n")
        return process
