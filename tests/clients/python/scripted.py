"""A server that answers what a test has written down, for what a real Oxide does only in trouble."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[["_Handler"], None]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    at: float


class Scripted:
    """Gives its answers one after the other, and the last one for ever."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self._answers = deque(answers)
        self._scheme = "https" if tls else "http"
        self._server = _Server(self)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next_answer(self) -> Answer:
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Scripted) -> None:
        self.script = script
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(content) if content else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.script.asked.append(Asked(self.command, self.path, headers, body, time.monotonic()))
        self.server.script.next_answer()(self)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names in http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Quiet."""


def json_answer(status: int, body: Any, **headers: str) -> Answer:
    return raw(status, json.dumps(body).encode(), **{"Content-Type": "application/json", **headers})


def raw(status: int, content: bytes, **headers: str) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def error(status: int, code: str, title: str, retry_after: int | None = None, **more: Any) -> Answer:
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return json_answer(status, {"error": title, "detail": "Told by a test.", "code": code, **more}, **headers)


def hang_up(handler: _Handler) -> None:
    """No answer at all."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def break_off(content: bytes) -> Answer:
    """An event stream that breaks."""

    def answer(handler: _Handler) -> None:
        _begin(handler, "text/event-stream")
        handler.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        handler.wfile.flush()
        hang_up(handler)

    return answer


def whole_stream(*pieces: bytes, chunked: bool = True) -> Answer:
    """Pieces of an event stream, each sent by itself; without chunks, as old proxies send it."""

    def answer(handler: _Handler) -> None:
        _begin(handler, "text/event-stream", chunked=chunked)
        for piece in pieces:
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if chunked else piece)
            handler.wfile.flush()
            time.sleep(0.02)
        if chunked:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return answer


def trickle(handler: _Handler) -> None:
    """A byte every tenth of a second: no single read ever waits long."""
    _begin(handler, "application/json")
    for _ in range(200):
        handler.wfile.write(b"1\r\n \r\n")
        handler.wfile.flush()
        time.sleep(0.1)


def trickle_head(handler: _Handler) -> None:
    """The same before there is even an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        handler.wfile.write(f"X-{number}: y\r\n".encode())
        handler.wfile.flush()
        time.sleep(0.1)


def silence(handler: _Handler) -> None:
    time.sleep(5)


def _begin(handler: _Handler, content_type: str, *, chunked: bool = True) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", content_type)
    if chunked:
        handler.send_header("Transfer-Encoding", "chunked")
    else:
        handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.flush()
