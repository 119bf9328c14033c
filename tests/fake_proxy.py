"""A proxy to test against: it forwards requests, makes tunnels, and speaks SOCKS 5 on the same port."""

from __future__ import annotations

import select
import socket
import socketserver
import struct
from base64 import b64encode
from typing import Any

from tests.local_server import LocalServer


class FakeProxy(LocalServer):
    """`asked` holds the head of each request that came to it, `credentials` what it wants, as `name:password`."""

    def __init__(self, credentials: str = "") -> None:
        self.credentials = credentials
        self.asked: list[str] = []
        server = _Server(("127.0.0.1", 0), _Handler)
        server.proxy = self
        super().__init__(server)


class _Server(socketserver.ThreadingTCPServer):
    proxy: FakeProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is none of the tests' business."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        first = self.request.recv(1, socket.MSG_PEEK)
        if first == b"\x05":
            self._socks()
        elif first:
            self._http()

    def _http(self) -> None:
        head, rest = self._head()
        self.server.proxy.asked.append(head)
        wanted = self.server.proxy.credentials
        if wanted and f"Basic {b64encode(wanted.encode()).decode()}" not in head:
            self.request.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        line, _, headers = head.partition("\r\n")
        method, target, _ = line.split(" ")
        if method == "CONNECT":
            name, _, port = target.rpartition(":")
            with socket.create_connection((name, int(port))) as there:
                self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                self._join(there)
            return
        address, _, path = target.removeprefix("http://").partition("/")
        name, _, port = address.rpartition(":")
        with socket.create_connection((name, int(port))) as there:
            there.sendall(f"{method} /{path} HTTP/1.1\r\n{headers}".encode() + rest)
            self._join(there)

    def _socks(self) -> None:
        # https://www.rfc-editor.org/rfc/rfc1928
        _, count = self._exactly(2)
        self._exactly(count)
        self.request.sendall(b"\x05\x00")
        _, _, _, kind = self._exactly(4)
        name = socket.inet_ntoa(self._exactly(4)) if kind == 1 else self._exactly(self._exactly(1)[0]).decode()
        (port,) = struct.unpack("!H", self._exactly(2))
        self.server.proxy.asked.append(f"SOCKS {name}:{port}")
        with socket.create_connection((name, port)) as there:
            self.request.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
            self._join(there)

    def _head(self) -> tuple[str, bytes]:
        content = b""
        while b"\r\n\r\n" not in content:
            piece = self.request.recv(65_536)
            if not piece:
                raise ConnectionResetError
            content += piece
        head, _, rest = content.partition(b"\r\n\r\n")
        return head.decode("latin-1") + "\r\n\r\n", rest

    def _exactly(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            content += self.request.recv(size - len(content))
        return content

    def _join(self, there: socket.socket) -> None:
        other = {self.request: there, there: self.request}
        while True:
            for ready in select.select([*other], [], [])[0]:
                piece = ready.recv(65_536)
                if not piece:
                    return
                other[ready].sendall(piece)
