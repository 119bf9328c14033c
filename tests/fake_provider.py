"""A provider to test against: a real HTTP server on loopback that speaks four dialects, and misbehaves on request."""

from __future__ import annotations

import gzip
import json
import math
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.fake_dialects import DIALECTS, TEXT, Answer, Aside, Dialect, Tokens

__all__ = ["DIALECTS", "TEXT", "Answer", "FakeProvider", "Recorded", "Tokens"]


@dataclass(frozen=True)
class Recorded:
    """One request as it came. Header names are in lower case; `json` is the body, or None without one."""

    service: str
    api: str
    method: str
    path: str
    headers: dict[str, str]
    json: Any


@dataclass(frozen=True)
class Fault:
    name: str
    details: dict[str, Any] = field(default_factory=dict)
    path: str = ""


class FakeProvider:
    """Speaks every dialect at once, told apart by address: `base_url("openai")`.

    Several services of one kind get an address each: `base_url("openai", service="second")`. What
    is set for a service holds for it alone; a service is called like its dialect where not named.

    Faults (`misbehave`), for `times` requests, or until `behave`:

    `hang` takes the request and says nothing; `slow` waits `seconds` and then answers,
    or does what `then` says;
    `trickle` answers a byte every `seconds`; `stall` sends half of the answer and then nothing;
    `reset` resets the connection; `truncate` breaks it off in mid-answer; `cut` ends a stream
    properly, but half-way; `stream_error` reports an error in mid-stream;
    `status` answers `status` with `body` and `headers`; `refuse` gives the dialect's own refusal of
    the kind `why` ("auth", which echoes the key, "model", "context", "quota", "bad_request");
    `raw` answers 200 with the bytes `body`; `chunks` sends each of `parts`, and then does what `then` says: `end` the
    body, `break` the connection, stay `open`, or stay open with `pings`; `html`, `empty`, `bad_json`, `redirect` say
    what they do; `huge` sends `size` bytes, `gzip_bomb` packs them.
    """

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self.hangups = 0
        """How many clients closed the connection before they had their answer."""
        self.model_names = ["alpha", "beta"]
        self.unknown_models: frozenset[str] = frozenset()
        """Names for which it answers that there is no such model."""
        self.reported: list[tuple[str, Tokens]] = []
        """What was said of the tokens of each answer that was sent to its end, by service."""
        self._answers: dict[str, Answer] = {}
        self._pauses: dict[str, float] = {}
        self._faults: dict[str, deque[Fault]] = {}
        self._standing: dict[str, Fault] = {}
        self._in_checks: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.stopped = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for connection in self._open:
                _shut(connection)

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def base_url(self, api: str, service: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{service or api}/{api}{DIALECTS[api].root}"

    def say(self, service: str = "", **answer: Any) -> None:
        """Set what a service answers from now on, in the fields of `Answer`; all services where none is named."""
        self._answers[service] = Answer(**answer)

    def pace(self, seconds: float, service: str = "") -> None:
        """Let so much time pass before each event of a stream, from now on."""
        self._pauses[service] = seconds

    def misbehave(
        self, fault: str, *, service: str = "", times: int | None = None, path: str = "", **details: Any
    ) -> None:
        """For so many requests, or until told otherwise; with `path` only at addresses that end so."""
        found = Fault(fault, details, path)
        if times is None:
            self._standing[service] = found
        else:
            self._faults.setdefault(service, deque()).extend([found] * times)

    def misbehave_in_checks(self, fault: str, *, service: str = "", **details: Any) -> None:
        """The same for requests without a body, such as those for the list of models, alone."""
        self._in_checks[service] = Fault(fault, details)

    def behave(self, service: str = "") -> None:
        self._standing.pop(service, None)
        self._faults.pop(service, None)

    def reset(self) -> None:
        """Be as in the beginning: no fault, the usual answers, all at once. What was recorded stays."""
        for settings in (self._standing, self._in_checks, self._faults, self._answers, self._pauses):
            settings.clear()

    def requests_to(self, service: str) -> list[Recorded]:
        return [request for request in self.requests if request.service == service]

    def last_call(self, service: str = "") -> Recorded:
        """The last request for an answer, of one service or of all."""
        return [each for each in self.requests if each.method == "POST" and service in ("", each.service)][-1]

    def calls_to(self, service: str) -> int:
        """How many times it was asked for an answer; health checks, which only GET, do not count."""
        return sum(request.method == "POST" for request in self.requests_to(service))

    def reported_by(self, service: str) -> list[Tokens]:
        return [tokens for name, tokens in self.reported if name == service]

    # For the handler.

    def pause_of(self, service: str) -> float:
        return self._pauses.get(service, self._pauses.get("", 0.0))

    def report(self, service: str, tokens: Tokens | None) -> None:
        if tokens:
            with self._lock:
                self.reported.append((service, tokens))

    def answer_of(self, service: str) -> Answer:
        return self._answers.get(service) or self._answers.get("") or Answer()

    def next_fault(self, service: str, path: str, *, is_check: bool = False) -> Fault | None:
        with self._lock:
            if is_check and (found := self._in_checks.get(service) or self._in_checks.get("")):
                return found
            for name in (service, ""):
                if self._faults.get(name) and path.endswith(self._faults[name][0].path):
                    return self._faults[name].popleft()
            standing = self._standing.get(service) or self._standing.get("")
            return standing if standing and path.endswith(standing.path) else None

    def record(self, request: Recorded) -> None:
        with self._lock:
            self.requests.append(request)

    def count_hangup(self) -> None:
        with self._lock:
            self.hangups += 1

    @contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self.connections += 1
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # hundreds may connect at once

    def __init__(self, provider: FakeProvider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self.provider.connected(request):
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


# https://platform.openai.com/docs/api-reference/chat/create#chat-create-n
MAXIMUM_CHOICES = 128
_TOO_MANY_CHOICES = {
    "error": {
        "message": f"Invalid 'n': expected an integer from 1 to {MAXIMUM_CHOICES}.",
        "type": "invalid_request_error",
        "param": "n",
        "code": "integer_above_max_value",
    }
}


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536  # head and body go out together

    def setup(self) -> None:
        super().setup()
        self.provider = self.server.provider

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_OPTIONS(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        _, self.service, self.api, *_ = self.path.split("/")
        self.asked = json.loads(body) if body else None
        self.dialect: Dialect = DIALECTS[self.api].at(self.path, self.asked or {})
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.provider.record(Recorded(self.service, self.api, self.command, self.path, headers, self.asked))
        fault = self.provider.next_fault(self.service, self.path, is_check=not body)
        try:
            if self.asked and self.dialect.model(self.path, self.asked) in self.provider.unknown_models:
                self.refuse("model")
            elif not self._may_have_choices():
                self.status(400, _TOO_MANY_CHOICES)
            elif fault:
                _FAULTS[fault.name](self, **fault.details)
            else:
                self.answer()
            self.wfile.flush()
        except (ConnectionError, TimeoutError):
            self.provider.count_hangup()
            self.close_connection = True

    # Answers

    @property
    def is_stream(self) -> bool:
        return self.asked is not None and not self.aside and self.dialect.is_stream(self.path, self.asked)

    def answer(self) -> None:
        if self.is_stream:
            self.send_frames(self.frames())
        else:
            document = self.document()
            self._report()
            self.send_json(200, document)

    def _may_have_choices(self) -> bool:
        """Without a limit, one request for a billion answers would take all memory."""
        wanted = (self.asked or {}).get("n") or 1
        return isinstance(wanted, int) and 1 <= wanted <= MAXIMUM_CHOICES

    def _report(self) -> None:
        if self.asked is not None:
            self.provider.report(self.service, (self.aside or self._said()[0]).tokens)

    @property
    def aside(self) -> Aside | None:
        return self.dialect.aside(self.path, self.asked or {})

    def document(self) -> Any:
        if self.asked is None:
            return self.dialect.models(self.provider.model_names)
        if aside := self.aside:
            return aside.document
        said, model = self._said()
        return self.dialect.whole(said, model)

    def frames(self) -> list[bytes]:
        return self.dialect.frames(*self._said())

    def _said(self) -> tuple[Answer, str]:
        asked = self.asked or {}
        answer = self.provider.answer_of(self.service)
        answer = replace(answer, choices=asked.get("n") or 1, logprobs=bool(asked.get("logprobs")))
        return answer, answer.model or self.dialect.model(self.path, self.asked or {})

    def send_json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self.send_bytes(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send_bytes(self, status: int, content: bytes, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.dialect.stream_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def send_frames(self, frames: list[bytes]) -> None:
        self.begin_stream()
        pause = self.provider.pause_of(self.service)
        for frame in frames[:-1]:
            if pause:
                self.wait(pause)
            self.send_chunk(frame)
        last = frames[-1]
        self._report()
        self.wfile.write(f"{len(last):x}\r\n".encode() + last + b"\r\n0\r\n\r\n")

    # Faults

    def wait(self, seconds: float | None = None) -> None:
        """Let time pass; a client that goes away in the meantime is a `ConnectionError`."""
        poll = select.poll()  # `select` cannot watch descriptors above 1023
        poll.register(self.connection, select.POLLIN)
        until = time.monotonic() + (math.inf if seconds is None else seconds)
        while (left := until - time.monotonic()) > 0 and not self.provider.stopped.is_set():
            # No ticking: with hundreds of streams at once that alone would keep the machine busy. `stop` ends it, too.
            if poll.poll(None if left == math.inf else left * 1000) and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError
        if self.provider.stopped.is_set():
            raise ConnectionResetError

    def hang(self) -> None:
        self.wait()

    def slow(self, seconds: float = 1.0, then: str = "answer", **details: Any) -> None:
        self.wait(seconds)
        getattr(self, then)(**details)

    def trickle(self, seconds: float = 0.2) -> None:
        content = b"".join(self.frames()) if self.is_stream else json.dumps(self.document()).encode()
        self.send_bytes(200, b"", {"Content-Type": self._type()}, length=len(content))
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            self.wait(seconds)

    def stall(self) -> None:
        self._half(self.send_chunk)
        self.wait()

    def truncate(self) -> None:
        self._half(self.send_chunk)
        self._break()

    def cut(self) -> None:
        self._half(self.send_chunk)
        self.wfile.write(b"0\r\n\r\n")

    def stream_error(self) -> None:
        self._half(self.send_chunk)
        self.send_chunk(self.dialect.error_frame())
        self.wfile.write(b"0\r\n\r\n")

    def reset(self) -> None:
        # A linger time of zero makes the close a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())

    def status(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        if isinstance(body, bytes):
            self.send_bytes(status, body, headers or {})
        else:
            self.send_json(status, body or {"error": {"message": f"Status {status}."}}, headers)

    def refuse(self, why: str) -> None:
        status, body = self.dialect.refusals[why]
        key = self.headers.get("authorization") or self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
        self.send_bytes(
            status, json.dumps(body).replace("{key}", key or "").encode(), {"Content-Type": "application/json"}
        )

    def raw(self, body: bytes, content_type: str = "application/json") -> None:
        self.send_bytes(200, body, {"Content-Type": content_type})

    def chunks(self, parts: list[bytes], content_type: str = "text/event-stream", then: str = "end") -> None:
        self.send_response(200)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.send_chunk(part)
        while then == "pings":
            self.send_chunk(b": ping\n\n")
            self.wait(0.02)
        if then == "open":
            self.wait()
        elif then == "break":
            self._break()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def html(self) -> None:
        self.send_bytes(200, b"<!doctype html><h1>Welcome to nginx!</h1>", {"Content-Type": "text/html"})

    def empty(self) -> None:
        self.send_bytes(200, b"", {"Content-Type": self._type()})

    def bad_json(self) -> None:
        document = b"data: {oops\n\n" if self.is_stream and "event" in self._type() else b'{"oops": \n'
        self.send_bytes(200, document, {"Content-Type": self._type()})

    def redirect(self) -> None:
        target = self.path.replace(f"/{self.service}/", "/elsewhere/", 1)
        self.send_bytes(302, b"", {"Location": f"http://127.0.0.1:{self.provider.port}{target}"})

    def huge(self, size: int) -> None:
        self.send_bytes(200, b" " * size, {"Content-Type": self._type()})

    def gzip_bomb(self, size: int) -> None:
        headers = {"Content-Type": self._type(), "Content-Encoding": "gzip"}
        self.send_bytes(200, gzip.compress(b" " * size), headers)

    def _type(self) -> str:
        return self.dialect.stream_type if self.is_stream else "application/json"

    def _half(self, send: Callable[[bytes], None]) -> None:
        if self.is_stream:
            frames = self.frames()
            self.begin_stream()
            for frame in frames[: len(frames) // 2]:
                send(frame)
        else:
            content = json.dumps(self.document()).encode()
            self.send_bytes(200, content[: len(content) // 2], {"Content-Type": "application/json"}, len(content))

    def _break(self) -> None:
        self.close_connection = True
        _shut(self.connection)


_FAULTS: dict[str, Callable[..., None]] = {
    name: getattr(_Handler, name)
    for name in (
        "hang", "slow", "trickle", "stall", "truncate", "cut", "stream_error", "reset", "status", "refuse", "raw",
        "chunks", "html", "empty", "bad_json", "redirect", "huge", "gzip_bomb",
    )
}  # fmt: skip


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # gone already
        return
