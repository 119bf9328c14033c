"""A Redis that somebody hostile has taken over: it answers each read with what runs code where it is unpickled."""

from __future__ import annotations

import os
import pickle
import socketserver
from pathlib import Path
from typing import Any

from tests.local_server import LocalServer


class _Payload:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._path),))


class HostileRedis(LocalServer):
    """Speaks RESP on a real socket. `proof` exists once anybody has unpickled an answer; `commands` is what was asked.

    https://redis.io/docs/latest/develop/reference/protocol-spec/
    """

    def __init__(self, folder: Path) -> None:
        self.proof = folder / "code-ran"
        self.commands: list[str] = []
        payload = pickle.dumps(_Payload(self.proof))
        self.answers: dict[str, bytes] = {
            "GET": b"$%d\r\n%s\r\n" % (len(payload), payload),
            "MGET": b"*1\r\n$%d\r\n%s\r\n" % (len(payload), payload),
            "INCRBY": b":1\r\n",
            "PING": b"+PONG\r\n",
            "SET": b"$-1\r\n",  # with NX: it is there already
            "DEL": b":0\r\n",
            "EXPIRE": b":0\r\n",
        }
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while command := self._read():
                    owner.commands.append(command)
                    self.wfile.write(owner.answers.get(command, b"+OK\r\n"))

            def _read(self) -> str:
                count = int(self.rfile.readline().strip(b"*\r\n") or 0)
                words = []
                for _ in range(count):
                    words.append(self.rfile.read(int(self.rfile.readline()[1:])))
                    self.rfile.read(2)
                return words[0].decode().upper() if words else ""

        super().__init__(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"
