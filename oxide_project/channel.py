"""One connection of HTTP: plain requests by a way of our own, all others by Twisted's and daphne's."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES, RESPONSES, HTTPChannel

from oxide_project import errors
from oxide_project.answers import Answer, Event
from oxide_project.errors import Problem
from oxide_project.handler import Client, PooledHandler
from oxide_project.plain import PlainRequest

if TYPE_CHECKING:
    from oxide_project.server import OxideServer, Request

# The first byte of a TLS connection, and of no HTTP method: https://www.rfc-editor.org/rfc/rfc8446#section-5.1
_TLS_HANDSHAKE = b"\x16"
# So long a client may take for the address and the headers of a request.
HEAD_SECONDS = 30.0
# So long it may take for the body, and a second more for each so many bytes that have come. As Apache counts it:
# https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html
BODY_SECONDS = 60.0
BODY_BYTES_A_SECOND = 1024
# An answer is handed to the socket in pieces of this size.
WINDOW = 256 * 1024


class Channel(HTTPChannel):
    """Reads a plain request, has it answered by the handler, and sends the answer.

    Where it turns out that more is needed (the answer is a stream, or long; the next request comes early; the server
    drains), Twisted reads the request again, and its `Request` takes over what is in hand.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._plain: PlainRequest | None = None
        self._is_twisteds = False  # whether Twisted reads what comes
        self._is_twisted_reading = False  # whether it does so just now
        # Whether something older may wait in Twisted's buffer. Once it has, no answer goes past that.
        self._may_be_sending = False
        # Held while a worker sends an answer, and while what is in hand changes otherwise.
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._unsent = b""
        self._answered_at = 0.0
        self._head_timer: Any = None
        self._body_timer: Any = None
        self._body_began_at = 0.0

    @property
    def _server(self) -> OxideServer:
        server: OxideServer = self.factory.server
        return server

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        server = self._server
        if self._plain and self._plain.client:
            self.hand_over()  # the next one is early
        if self._unsent:
            self._send_rest()
        if self._is_twisteds or server.handler is None or (server.draining and not self._plain):
            self._let_twisted_read(data)
            return
        self.resetTimeout()  # type: ignore[no-untyped-call]
        plain = self._plain = self._plain or PlainRequest()
        try:
            is_whole = plain.read(data)
        except ValueError:
            if plain.raw.startswith(_TLS_HANDSHAKE):
                self._refuse_tls()
            else:
                self.hand_over()
            return
        if is_whole:
            self._begin(plain, server.handler)
        if self._head_timer or self._body_timer or not is_whole:
            self._time_head(is_reading=not is_whole and not plain.has_whole_head)
            self._time_body(is_reading=not is_whole and plain.has_whole_head)

    def _begin(self, plain: PlainRequest, handler: PooledHandler) -> None:
        if self._socket is None:
            # A descriptor of our own: the event loop may close its own while a worker sends, and the number may be
            # another connection's a moment later.
            transport: Any = self.transport
            self._socket = transport.getHandle().dup()
        plain.client = Client(partial(self._send, plain), partial(self._deliver, plain))
        handler.begin(plain.scope(self.surroundings), plain.open(), plain.client, partial(self._end, plain))

    def hand_over(self) -> None:
        """Let Twisted read what came of the request, and what comes."""
        with self._lock:
            plain = self._plain
            self._is_twisteds = plain is not None  # else it has just been answered
        if plain:
            self._let_twisted_read(plain.raw)
            self._plain = None

    def adopt(self, request: Request) -> Client | None:
        """Who waits for the answer to a request that Twisted reads again because it was handed over."""
        if self._plain is None or self._plain.client is None:
            return None
        self._plain.request = request
        return self._plain.client

    def _let_twisted_read(self, data: bytes) -> None:
        self._is_twisted_reading = self._may_be_sending = True
        try:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        finally:
            self._is_twisted_reading = False
        self._time_head(is_reading=self._is_reading_head())
        self._time_body(is_reading=self._is_reading_body())

    def _is_reading_head(self) -> bool:
        """Whether Twisted has a part of a request's head, and not all of it."""
        transport: Any = self.transport
        is_begun = bool(self._receivedHeaderSize or self._buffer)
        return bool(self.line_mode) and is_begun and transport is not None and not transport.disconnecting

    def _is_reading_body(self) -> bool:
        """Whether Twisted has a request's head, and not all of its body."""
        transport: Any = self.transport
        is_begun = not self.line_mode and self._transferDecoder is not None
        return is_begun and transport is not None and not transport.disconnecting

    def _time_head(self, *, is_reading: bool) -> None:
        """Each byte puts off the end of an idle connection, so that one which drips would stay for ever."""
        if is_reading and self._head_timer is None:
            self._head_timer = self.callLater(HEAD_SECONDS, self._head_is_late)  # type: ignore[no-untyped-call]
        elif not is_reading and self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        self._end_late(f"The headers were not there after {HEAD_SECONDS:g} seconds. Send them at once.")

    def _time_body(self, *, is_reading: bool) -> None:
        if is_reading and self._body_timer is None:
            self._body_began_at = time.monotonic()
            self._body_timer = self.callLater(BODY_SECONDS, self._check_body)  # type: ignore[no-untyped-call]
        elif not is_reading and self._body_timer:
            self._body_timer.cancel()
            self._body_timer = None

    def _check_body(self) -> None:
        left = self._body_began_at + BODY_SECONDS + self._received / BODY_BYTES_A_SECOND - time.monotonic()
        if left > 0:
            self._body_timer = self.callLater(left, self._check_body)  # type: ignore[no-untyped-call]
            return
        self._body_timer = None
        self._end_late(f"The body comes in at less than {BODY_BYTES_A_SECOND} bytes a second. Send it faster.")

    @property
    def _received(self) -> int:
        """Bytes that have come of the request that is being read."""
        if self._plain:
            return len(self._plain.raw)
        return sum(request.received for request in self.requests[-1:])

    def _end_late(self, detail: str) -> None:
        self._end_with(Problem(408, "TIMEOUT", "Request Timeout", detail))

    def requestDone(self, request: Request) -> None:  # noqa: N802 - Twisted's name
        # While Twisted reads, more of what it has got may be waiting in its own buffer.
        self._is_twisteds = self._is_twisted_reading
        super().requestDone(request)  # type: ignore[no-untyped-call]

    @cached_property
    def surroundings(self) -> dict[str, Any]:
        transport: Any = self.transport
        client, host = transport.getPeer(), transport.getHost()
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "root_path": self._server.root_path,
            "scheme": "http",
            "client": [client.host, client.port],
            "server": [host.host, host.port],
        }

    async def _send(self, plain: PlainRequest, event: Event) -> None:
        """An event of a stream."""
        if plain.request is None and self._plain is plain:
            self.hand_over()
        if plain.request:
            await self._server.handle_reply(plain.request, dict(event))

    def _end(self, plain: PlainRequest, answer: Answer | None) -> None:
        is_simple = answer is not None and len(answer.content) <= WINDOW and not self._server.draining
        if self._plain is plain and not is_simple:
            self.hand_over()
        if plain.request:
            plain.request.end(answer)
        elif answer and self._plain is plain:  # else the client is gone
            self._plain = None
            self._answered_at = time.monotonic()
            transport: Any = self.transport
            transport.write(in_bytes(answer, plain.method))

    def _deliver(self, plain: PlainRequest, answer: Answer) -> bool:
        """On a worker: send an answer without waiting for the event loop's turn. Returns whether that was possible."""
        with self._lock:
            is_ours = self._plain is plain and not (self._is_twisteds or self._may_be_sending or self._server.draining)
            if not is_ours or self._socket is None or len(answer.content) > WINDOW:
                return False
            data = in_bytes(answer, plain.method)
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:  # the connection is lost, as the event loop will see
                sent = len(data)
            self._plain = None
            self._answered_at = time.monotonic()
            if sent < len(data):
                self._may_be_sending = True
                self._unsent = data[sent:]
        if self._unsent and plain.client:
            plain.client.call(self._send_rest)
        return True

    def _send_rest(self) -> None:
        transport: Any = self.transport
        with self._lock:
            rest, self._unsent = self._unsent, b""
        if rest and transport is not None:
            transport.write(rest)

    def timeoutConnection(self) -> None:  # noqa: N802 - Twisted's name
        idle = 0.0 if self._plain and self._plain.client else time.monotonic() - self._answered_at
        if self.timeOut is not None and idle < self.timeOut:
            self.setTimeout(self.timeOut - idle)  # type: ignore[no-untyped-call]
        else:
            super().timeoutConnection()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        self._time_head(is_reading=False)
        self._time_body(is_reading=False)
        with self._lock:
            plain, self._plain = self._plain, None
            if self._socket:
                self._socket.close()
                self._socket = None
        if plain and plain.client:
            plain.client.leave()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    # What is no HTTP at all gets an answer in our format, too, instead of an empty one or none.

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002, N802 - Twisted's name
        self._respondToBadRequestAndDisconnect()

    def _refuse_tls(self) -> None:
        """Twisted would wait for the end of a line, and a client that uses `https` here until its time is over."""
        self._plain = None
        detail = "This port speaks plain HTTP. Use http:// instead of https://, or a proxy with TLS."
        self._end_with(errors.malformed(detail))

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's name
        detail = "This is no valid HTTP request. It may have 500 headers, of 16 KB in all with the address."
        self._end_with(errors.malformed(detail))

    def _end_with(self, problem: Problem) -> None:
        body = errors.answer(problem).content
        reason = RESPONSES[problem.status].decode("ascii")
        head = f"HTTP/1.1 {problem.status} {reason}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        transport: Any = self.transport
        transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.loseConnection()  # type: ignore[no-untyped-call]


def in_bytes(answer: Answer, method: bytes, protocol: str = "HTTP/1.1", more: Sequence[tuple[str, str]] = ()) -> bytes:
    """A whole answer as it goes over the wire, with the headers of the connection in `more`."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in (*answer.headers, *more)])
    reason = RESPONSES.get(answer.status, b"").decode("ascii")
    head = f"{protocol} {answer.status} {reason}\r\n{lines}server: oxide\r\n\r\n".encode("latin-1")
    is_bare = method == b"HEAD" or answer.status in NO_BODY_CODES
    return head if is_bare else head + answer.content
