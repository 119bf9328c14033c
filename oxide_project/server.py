"""daphne, with what it lacks for a gateway: a drain, back-pressure, a cap on bodies, JSON errors.

Importing this module installs Twisted's reactor; do it only in the process that serves, and after
the event loop policy has been chosen.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server, twisted_loop
from daphne.ws_protocol import WebSocketFactory
from django.conf import settings
from twisted.web.http import HTTPChannel

from monitoring.hub import hub
from oxide_project import errors, websocket
from oxide_project.answers import ABORT, BODY
from oxide_project.errors import Problem
from tasks.background import background

logger = logging.getLogger(__name__)

# How much of a body that is too large is read and thrown away, so that the client comes to hear why.
_DISCARD_FACTOR = 16
# An answer is handed to the socket in pieces of this size, and a client has so long to take each.
WINDOW = 256 * 1024
STALL_SECONDS = 60.0


class Request(WebRequest):  # type: ignore[misc]
    """One HTTP request. Its body is capped as it comes in; writing waits for a slow reader."""

    def __init__(self, channel: HTTPChannel, queued: object = None) -> None:
        # Twisted would parse forms on the event loop, which a large one brings to a halt. Nobody asks it for them.
        super().__init__(channel, queued, parsePOSTFormSubmission=False)
        self._received = 0
        self._producing = False
        self.writable = asyncio.Event()
        self.writable.set()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        room = settings.MAX_BODY_BYTES + 1 - self._received  # one byte too many tells the application
        self._received += len(data)
        if room > 0:
            super().handleContentChunk(data[:room])
        elif self._received > settings.MAX_BODY_BYTES * _DISCARD_FACTOR:
            self.abort()

    def process(self) -> Any:
        if self.server.draining:
            self.channel.persistent = False
            self.setHeader(b"connection", b"close")
            if self.requestHeaders.hasHeader(b"upgrade"):
                return self._answer(errors.draining())
        # To daphne this header says under which path it is mounted; a client must not say that.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        return super().process()

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """daphne's own refusals, in our format instead of HTML."""
        code = "INTERNAL_ERROR" if status >= 500 else "VALIDATION_ERROR"
        self._answer(Problem(status, code, status_text.decode("ascii"), body))

    def _answer(self, problem: Problem) -> None:
        response = errors.answer(problem)
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
        self.handle_reply({"type": "http.response.start", "status": problem.status, "headers": headers})
        self.handle_reply({"type": BODY, "body": response.content})

    def abort(self) -> None:
        if self.channel is not None:
            self.channel.forceAbortClient()

    async def room(self) -> None:
        """Wait until a slow reader has taken what was sent to it. One that takes nothing is cut off."""
        if not self.writable.is_set():
            try:
                await asyncio.wait_for(self.writable.wait(), STALL_SECONDS)
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
        super().connectionLost(reason)


class Channel(HTTPChannel):
    """One connection. What is no HTTP at all gets an answer in our format, too, instead of an empty one or none."""

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002, N802 - Twisted's name
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted's name
        detail = "This is no valid HTTP request. It may have 500 headers, of 16 KB in all with the address."
        body = errors.answer(errors.malformed(detail)).content
        head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
        transport: Any = self.transport
        transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.loseConnection()  # type: ignore[no-untyped-call]


class Factory(HTTPFactory):  # type: ignore[misc]
    protocol = Channel

    def buildProtocol(self, address: object) -> Any:  # noqa: N802 - Twisted's name
        protocol = super().buildProtocol(address)
        protocol.requestFactory = Request
        return protocol


class OxideServer(Server):  # type: ignore[misc]
    """Serves until SIGTERM or SIGINT, then lets requests in hand end; a second signal ends it at once."""

    connections: dict[Any, dict[str, Any]]  # daphne's

    def __init__(self, application: Any, listening_fd: int, drain_seconds: float) -> None:
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
        self.draining = False
        self._drain_seconds = drain_seconds
        self._drain_until = 0.0

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

    def _stop_when_idle(self) -> None:
        if not self._in_hand():
            self.stop()
        elif time.monotonic() >= self._drain_until:
            logger.warning("Stopping with %d requests and background tasks unfinished.", self._in_hand())
            self.stop()
        else:
            twisted_loop.call_later(0.05, self._stop_when_idle)

    def _in_hand(self) -> int:
        applications = (details.get("application_instance") for details in self.connections.values())
        requests = sum(application is not None and not application.done() for application in applications)
        return requests + background.in_hand

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
        # daphne's own trips over a connection whose request is not complete yet, and then stops none.
        everything = self.connections
        self.connections = {key: value for key, value in everything.items() if "application_instance" in value}
        try:
            return super().kill_all_applications()
        finally:
            self.connections = everything
