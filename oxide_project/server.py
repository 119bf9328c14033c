"""daphne, with what it lacks for a gateway: a drain, back-pressure, a cap on bodies, JSON errors.

Importing this module installs Twisted's reactor; do it only in the process that serves, and after
the event loop policy has been chosen.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from functools import partial
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server, twisted_loop
from daphne.utils import INVALID_HEADER_VALUE_BYTES
from daphne.ws_protocol import WebSocketFactory
from django.conf import settings
from twisted.web.http import HTTPChannel

from monitoring.hub import hub
from oxide_project import errors, websocket
from oxide_project.answers import ABORT, BODY, Answer, send_whole, whole
from oxide_project.body_budget import Share
from oxide_project.channel import WINDOW, Channel, in_bytes
from oxide_project.errors import Problem
from oxide_project.handler import SPOOL_BYTES, TOO_BIG, Client, PooledHandler
from oxide_project.plain import scope_of
from tasks.background import background

logger = logging.getLogger(__name__)

# How much of a body that is too large is read and thrown away, so that the client comes to hear why.
_DISCARD_FACTOR = 16
# So long a client has to take each piece of an answer.
STALL_SECONDS = 60.0


class Request(WebRequest):  # type: ignore[misc]
    """One HTTP request. Its body is capped as it comes in; writing waits for a slow reader."""

    def __init__(self, channel: HTTPChannel, queued: object = None) -> None:
        # Twisted would parse forms on the event loop, which a large one brings to a halt. Nobody asks it for them.
        super().__init__(channel, queued, parsePOSTFormSubmission=False)
        self.received = 0
        self._share = Share(self.getHeader)
        self._is_covered = True
        self._producing = False
        self._client: Client | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        # Twisted would write to the disk on the event loop from 100 KB on.
        is_short = length is not None and length < SPOOL_BYTES
        self.content: IO[bytes] | None = BytesIO() if is_short else SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        room = settings.MAX_BODY_BYTES + 1 - self.received  # one byte too many tells the application
        self.received += len(data)
        if self._is_covered and not self._share.covers(min(self.received, settings.MAX_BODY_BYTES)):
            self._is_covered = False
            self._forget_body()
        if not self._is_covered:
            self._discard()
        elif room > 0:
            super().handleContentChunk(data[:room])
        else:
            self._discard()

    def _discard(self) -> None:
        if self.received > settings.MAX_BODY_BYTES * _DISCARD_FACTOR:
            self.abort()

    def _forget_body(self) -> None:
        self._share.give_back()
        if self.content is not None:
            self.content.close()
        self.content = BytesIO()

    def process(self) -> Any:
        self._share.give_back()
        if not self._is_well_framed():
            return None
        if self.server.draining:
            self.channel.persistent = False
            self.setHeader(b"connection", b"close")
            if self.requestHeaders.hasHeader(b"upgrade"):
                return self._answer(errors.draining())
        self._client = self.channel.adopt(self)
        if self._client:
            return None
        # To daphne this header says under which path it is mounted; a client must not say that.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        if self.server.handler is None or self.requestHeaders.hasHeader(b"upgrade"):
            return super().process()
        return self._begin(self.server.handler)

    def _begin(self, handler: PooledHandler) -> None:
        """The short way to the pool: daphne's own takes two queues, two tasks and a dozen turns of the event loop."""
        if not self._is_readable():
            return
        scope = self._scope()
        body, self.content = self.content or BytesIO(), None  # the worker's from now on
        self._client = Client(partial(self.server.handle_reply, self))
        is_too_big = self.received > settings.MAX_BODY_BYTES
        if not self._is_covered:
            handler.refuse(scope, errors.too_much_at_once(), self._client, self.end)
            return
        handler.begin(scope, TOO_BIG if is_too_big else body, self._client, self.end)

    def _is_well_framed(self) -> bool:
        """Refuses what a proxy before us may have read in another way: where the body ends, and whose request it is.

        https://www.rfc-editor.org/rfc/rfc9112#section-6.1, https://www.rfc-editor.org/rfc/rfc9112#section-3.2
        """
        encodings, lengths, hosts = map(self._values, (b"transfer-encoding", b"content-length", b"host"))
        if len(encodings) + len(lengths) > 1:
            problem = "The headers say in two ways how long the body is. Send one Content-Length or Transfer-Encoding."
        elif any(encoding.lower() != b"chunked" for encoding in encodings):
            problem = "Oxide knows no other Transfer-Encoding than chunked. Send that, or a Content-Length."
        elif len(hosts) > 1 or (not hosts and self.clientproto == b"HTTP/1.1"):
            problem = "A request of HTTP/1.1 has one header Host. Send it once."
        else:
            return True
        self.channel.persistent = False
        self.setHeader(b"connection", b"close")
        self.basic_error(400, b"Bad Request", problem)
        return False

    def _values(self, name: bytes) -> list[bytes]:
        found: list[bytes] = self.requestHeaders.getRawHeaders(name, [])
        return found

    def _is_readable(self) -> bool:
        """Refuses what daphne refuses: Twisted lets it through."""
        if not self.uri.isascii():
            self.basic_error(400, b"Bad Request", "Invalid characters in the address")
            return False
        for _, values in self.requestHeaders.getAllRawHeaders():
            if any(INVALID_HEADER_VALUE_BYTES.intersection(value) for value in values):
                self.basic_error(400, b"Bad Request", "Invalid header value")
                return False
        return True

    def _scope(self) -> dict[str, Any]:
        headers = ((name.lower(), value) for name, values in self.requestHeaders.getAllRawHeaders() for value in values)
        version = self.clientproto.rpartition(b"/")[2].decode("ascii")
        return scope_of(self.channel.surroundings, self.method, self.uri, headers, version)

    def end(self, answer: Answer | None) -> None:
        self._client = None
        if answer is None or self._disconnected or self.finished:
            return
        if self._response_started:  # a stream that broke: nothing can follow what was sent of it
            self.abort()
        elif len(answer.content) > WINDOW:
            self.server.send_slowly(self, answer)
        else:
            lines = self.responseHeaders.getAllRawHeaders()
            own = [(name.decode("latin-1"), value.decode("latin-1")) for name, values in lines for value in values]
            self.startedWriting = 1
            self.channel.write(in_bytes(answer, self.method, self.clientproto.decode("ascii"), own))
            self.finish()

    def leave(self) -> None:
        """Nobody waits for the answer any more."""
        if self._client:
            self._client.leave()

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """daphne's own refusals, in our format instead of HTML."""
        code = "INTERNAL_ERROR" if status >= 500 else "VALIDATION_ERROR"
        self._answer(Problem(status, code, status_text.decode("ascii"), body))

    def _answer(self, problem: Problem) -> None:
        for event in whole(errors.answer(problem)).events:
            self.handle_reply(event)

    def abort(self) -> None:
        if self.channel is not None:
            self.channel.forceAbortClient()

    async def room(self) -> None:
        """Wait until a slow reader has taken what was sent to it. One that takes nothing is cut off."""
        if not self.writable.is_set():
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await self.writable.wait()
            except TimeoutError:
                self.abort()

    # Twisted's push producer interface: it tells us when the socket's buffer is full and when it has room.

    def produce(self) -> None:
        if not self._producing and self.channel is not None:
            self._producing = True
            self.registerProducer(self, True)

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.writable.clear()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.writable.set()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.writable.set()

    def finish(self) -> None:
        if self._producing:
            self._producing = False
            self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason: object) -> None:  # noqa: N802 - Twisted's name
        self.writable.set()
        self._share.give_back()
        self.leave()
        super().connectionLost(reason)


class Factory(HTTPFactory):  # type: ignore[misc]
    protocol = Channel

    def log(self, request: object) -> None:
        """No access log: the history has every task, and a proxy in front may write one."""

    def buildProtocol(self, address: object) -> Any:  # noqa: N802 - Twisted's name
        protocol = super().buildProtocol(address)
        protocol.requestFactory = Request
        return protocol


class OxideServer(Server):  # type: ignore[misc]
    """Serves until SIGTERM or SIGINT, then lets requests in hand end; a second signal ends it at once."""

    connections: dict[Any, dict[str, Any]]  # daphne's

    def __init__(
        self, application: Any, listening_fd: int, drain_seconds: float, handler: PooledHandler | None = None
    ) -> None:
        """`handler` answers requests of HTTP without the way through `application`, which answers all others."""
        super().__init__(
            application,
            endpoints=[f"fd:fileno={listening_fd}"],
            signal_handlers=False,
            request_buffer_size=256 * 1024,
            ping_interval=60,
            ping_timeout=60,
            websocket_timeout=-1,
            websocket_max_message_size=websocket.MAX_MESSAGE_BYTES,
            websocket_max_frame_size=websocket.MAX_MESSAGE_BYTES,
            verbosity=0,
            server_name="oxide",
        )
        self.handler = handler
        self.draining = False
        self._drain_seconds = drain_seconds
        self._drain_until = 0.0
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def http_factory(self) -> Factory:
        return self._factory

    @http_factory.setter
    def http_factory(self, _daphnes: HTTPFactory) -> None:
        # `run` of daphne makes its own factory and leaves no other way to have our requests made.
        self._factory = Factory(self)

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, daphnes: WebSocketFactory) -> None:
        daphnes.protocol = websocket.Connection
        self._ws_factory = daphnes

    def run(self) -> None:
        twisted_loop.call_soon(hub.begin, settings.REDIS_URL)
        for number in (signal.SIGTERM, signal.SIGINT):
            twisted_loop.add_signal_handler(number, self.drain)
        super().run()

    def drain(self) -> None:
        if self.draining:
            self.stop()
            return
        self.draining = True
        self._drain_until = time.monotonic() + self._drain_seconds
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())
        for connection in tuple(self.connections):
            if isinstance(connection, websocket.Connection):
                connection.go_away()
        logger.info("Draining: %d requests and background tasks in hand.", self._in_hand())
        self._stop_when_idle()

    def _stop_when_idle(self, was_idle: bool = False) -> None:
        """Idle twice in a row: the last answer is handed to its socket one turn of the event loop after it was made."""
        is_idle = not self._in_hand()
        if is_idle and was_idle:
            self.stop()
        elif not is_idle and time.monotonic() >= self._drain_until:
            logger.warning("Stopping with %d requests and background tasks unfinished.", self._in_hand())
            self.stop()
        else:
            twisted_loop.call_later(0.05, self._stop_when_idle, is_idle)

    def _in_hand(self) -> int:
        applications = (details.get("application_instance") for details in self.connections.values())
        requests = sum(application is not None and not application.done() for application in applications)
        return requests + (self.handler.in_hand if self.handler else 0) + len(self._sending) + background.in_hand

    def stop(self) -> None:
        hub.end()
        super().stop()

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await protocol.room()
        if message["type"] == ABORT:
            protocol.abort()
        elif message["type"] == BODY and isinstance(protocol, Request):
            await self._send_body(protocol, message.get("body", b""), more=message.get("more_body", False))
        else:
            await super().handle_reply(protocol, message)

    def send_slowly(self, protocol: Request, answer: Answer) -> None:
        """No faster than its client reads."""
        task = twisted_loop.create_task(send_whole(partial(self.handle_reply, protocol), answer))
        self._sending.add(task)
        task.add_done_callback(partial(self._sent, protocol))

    def _sent(self, protocol: Request, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("An answer broke off.", exc_info=error)
            protocol.abort()

    def protocol_disconnected(self, protocol: Any) -> None:
        if isinstance(protocol, Request) and "application_instance" not in self.connections[protocol]:
            del self.connections[protocol]  # instead of at the next round, which would find hundreds
        else:
            super().protocol_disconnected(protocol)

    async def _send_body(self, protocol: Request, body: bytes, *, more: bool) -> None:
        if protocol.method == b"HEAD":
            body = b""  # Twisted would leave out the first piece alone
        if more or len(body) > WINDOW:
            protocol.produce()
            for start in range(0, len(body), WINDOW):
                piece = body[start : start + WINDOW]
                await super().handle_reply(protocol, {"type": BODY, "body": piece, "more_body": True})
                await protocol.room()
            body = b""
        if not more:
            await super().handle_reply(protocol, {"type": BODY, "body": body})

    def kill_all_applications(self) -> Any:
        for connection in tuple(self.connections):
            if isinstance(connection, Request):
                connection.leave()
        # daphne's own trips over a connection whose request is not complete yet, and then stops none.
        everything = self.connections
        self.connections = {key: value for key, value in everything.items() if "application_instance" in value}
        try:
            return super().kill_all_applications()
        finally:
            self.connections = everything
