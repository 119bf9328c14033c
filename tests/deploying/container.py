"""The image at work."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.deploying.image import Image
from tests.live import START_SECONDS, free_port
from tests.waiting import wait_until

WRITABLE = ("/data", "/tmp")  # noqa: S108 - of the image


class Container:
    """The image's command at work, with a root that is read-only but for two folders."""

    def __init__(self, image: Image, output: Path) -> None:
        self.image = image
        self.output = output
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        argv = self.image.argv([*command, "--port", str(self.port)], writable=WRITABLE)
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                argv, env={**self.image.environment, **environment}, stdout=output, stderr=output
            )
        wait_until(lambda: self.listens or self.process.poll() is not None, START_SECONDS)
        assert self.listens, self.output.read_text()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process
        return self._process

    @property
    def listens(self) -> bool:
        return "Oxide listens on" in self.output.read_text()

    def is_healthy(self) -> bool:
        check = [word.replace("8000", str(self.port)) for word in self.image.healthcheck]
        return self.image.run(check, check=False).returncode == 0

    def stop(self) -> int:
        """What an engine sends first."""
        self.process.send_signal(getattr(signal, self.image.settings["STOPSIGNAL"]))
        return self.process.wait(40)

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
