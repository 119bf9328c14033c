"""The command `oxide` as people run it: in a pipe, and at a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.waiting import wait_until

SECONDS = 30
_CLEARED = re.compile(r"[^\n]*\r\x1b\[K")


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


def piped(environment: Mapping[str, str], *arguments: str, said: str | bytes = "") -> Done:
    """Run it to its end, with pipes for all it reads and writes."""
    done = subprocess.run(
        ["oxide", *arguments],
        env=dict(environment),
        input=said.encode() if isinstance(said, str) else said,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


class Terminal:
    """A pseudo-terminal with the command in it. `screen` is all that was ever written to it."""

    def __init__(self, environment: Mapping[str, str], arguments: tuple[str, ...], columns: int) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            ["oxide", *arguments], env=dict(environment), stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def screen(self) -> str:
        return self._written.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def left(self) -> str:
        """What is still to be seen in the end, where lines were cleared."""
        return _CLEARED.sub("", self.screen)

    def wait(self) -> int:
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return status

    def interrupt(self) -> int:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.screen)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(SECONDS)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                self._written += os.read(self._master, 65_536)
            except OSError:  # nobody has the other end open any more
                return


@contextmanager
def terminal(environment: Mapping[str, str], *arguments: str, columns: int = 100) -> Iterator[Terminal]:
    opened = Terminal(environment, arguments, columns)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def running(environment: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[Any]]:
    """Started, with pipes, and not waited for."""
    process = subprocess.Popen(
        ["oxide", *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
