"""A real Oxide process: `manage.py serve` with a folder, a database and a port of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests
import yaml

from tests import empty_database
from tests.watch import watch

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120


class LiveOxide:
    """Not started until `start`, so that a test can declare its services first.

    `session` talks to it over connections that stay open.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {
            "services": {"echo": {"type": "builtin"}},
            "routing": {"rules": [], "default": []},
        }
        # A test sends more requests than the usual limits let through.
        self.environment = {"OXIDE_RATE_LIMIT_ANON": "0", "OXIDE_RATE_LIMIT_USER": "0"}
        self.output = folder / "output.log"
        self.url = ""
        self.session = requests.Session()
        self.session.trust_env = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise AssertionError("Oxide was not started.")
        return self._process

    def declare(self, name: str, base_url: str = "", *, default: bool = True, **fields: Any) -> Self:
        """Add a service to the configuration file, by default also to the default order."""
        address = {"base_url": base_url} if base_url else {}
        self.config["services"][name] = {"type": "http", "model": "alpha", **address, **fields}
        if default:
            self.config["routing"]["default"].append(name)
        return self

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of the other commands, in the same surroundings."""
        done = subprocess.run(
            self._command(*arguments), env=self.surroundings(), capture_output=True, text=True, check=check, timeout=120
        )
        watch.note(f"manage.py {arguments[0]}", done.stdout + done.stderr)
        return done

    def start(self, *arguments: str, on_nothing: bool = False) -> Self:
        """`on_nothing` has it make its database by itself, as the very first start does."""
        self.write_config()
        data_dir = Path(self.surroundings()["OXIDE_DATA_DIR"])
        if not (on_nothing or "DATABASE_URL" in self.environment or (data_dir / empty_database.NAME).exists()):
            empty_database.copy_to(data_dir)
        watch.follow(self.output)
        with self.output.open("ab") as output:
            begin = output.tell()
            self._process = subprocess.Popen(
                self._command("serve", "--port", str(free_port()), *arguments),
                env=self.surroundings(),
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            told = re.search(r"Oxide listens on (http://\S+)", self.log[begin:])
            if told and self._answers(told[1]):
                self.url = told[1]
                return self
            if self._process.poll() is not None:
                raise AssertionError(f"Oxide did not start:\n{self.log}")
            time.sleep(0.05)
        raise AssertionError(f"Oxide did not listen within {START_SECONDS} seconds:\n{self.log}")

    @property
    def log(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    @property
    def admin_password(self) -> str:
        """What the first start made, and said once. It is a secret from then on."""
        watch.read_on()
        told = re.search(r"Made the user admin with the password (\S+)", self.log)
        if not told:
            raise AssertionError(f"Oxide told no password:\n{self.log}")
        return told[1]

    def write_config(self) -> None:
        (self.folder / "oxide.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False))

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=120, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(self.url + path, timeout=120, **options)

    def execute(self, **body: Any) -> requests.Response:
        return self.post("/api/tasks/execute/", json={"prompt": "What is quantum computing?", **body})

    def stop(self, seconds: float = 40) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.search_what_is_left()
        return status

    def kill(self) -> None:
        """SIGKILL: what a crash looks like."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.session.close()
        self.search_what_is_left()

    def search_what_is_left(self) -> None:
        """It may hold no secret."""
        watch.read_on()
        watch.note_folder(self.folder / "var")

    def surroundings(self) -> Mapping[str, str]:
        """All environment variables of its processes, `environment` among them."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OXIDE_")}
        # All that it can say is searched for secrets.
        own = {
            "OXIDE_LOG_LEVEL": "DEBUG",
            "OXIDE_DATA_DIR": str(self.folder / "var"),
            "OXIDE_CONFIG": str(self.folder / "oxide.yaml"),
        }
        return {**inherited, "DJANGO_SETTINGS_MODULE": "oxide_project.settings", **own, **self.environment}

    def _answers(self, url: str) -> bool:
        """Whatever it answers: identity may be on, or the address no host that is served."""
        try:
            self.session.get(f"{url}/health", timeout=5)
        except (requests.ConnectionError, requests.Timeout):
            return False
        return True

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *arguments]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
