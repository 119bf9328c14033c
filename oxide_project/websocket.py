"""daphne's WebSocket protocol, with what it lacks: back-pressure, close codes with a reason, an end at a drain."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

MAX_MESSAGE_BYTES = 64 * 1024
"""The longest message a client may send."""

# How much of what a client does not read waits in the kernel. Left alone, Linux would keep up to 4 MB for each.
_KERNEL_BYTES = 128 * 1024
# How long a connection that is closed may linger because its client takes nothing any more.
_LINGER_SECONDS = 10.0
_TEXT = 1  # the opcode of a frame; https://www.rfc-editor.org/rfc/rfc6455#section-5.2
_REASON_BYTES = 123


class Connection(WebSocketProtocol):  # type: ignore[misc]
    """One WebSocket connection."""

    # autobahn takes its options from the class where they stand there. A slow reader needs a while to come to the
    # close frame, behind all that was sent before it.
    closeHandshakeTimeout = 5  # noqa: N815 - autobahn's name

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self.writable = asyncio.Event()
        self.writable.set()
        self._closed_since: float | None = None
        super().connectionMade()

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        # Until now the HTTP side of the connection was told when the socket's buffer is full.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        super().onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803 - autobahn's names
        if self.state == self.STATE_OPEN:  # what comes after we have closed would pile up unread
            super().onMessage(payload, isBinary)

    def _max_message_size_exceeded(self, _size: int, _limit: int, _reason: str) -> None:
        """autobahn's hook. The application says what is wrong and closes; the rest of the message is dropped."""
        self.failedByMe = True
        self.application_queue.put_nowait({"type": "websocket.receive", "oversized": True})

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        self.writable.set()
        super().onClose(wasClean, code, reason)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send" and self.state != self.STATE_CONNECTING:
            # Past autobahn's own, which refuses to send what would be too long to be received.
            if self.state == self.STATE_OPEN:
                self.sendFrame(opcode=_TEXT, payload=message["text"].encode())
        elif message["type"] == "websocket.close" and self.state != self.STATE_CONNECTING:
            self.close(message.get("code", 1000), message.get("reason", ""))
        else:
            super().handle_reply(message)

    def close(self, code: int, reason: str) -> None:
        # Past autobahn's `sendClose`, which takes only the codes that a browser may use.
        # https://github.com/django/daphne/issues/374
        self.transport.resumeProducing()
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:_REASON_BYTES])

    async def room(self) -> None:
        """Wait until a slow reader has taken what was sent to it."""
        await self.writable.wait()

    def go_away(self) -> None:
        """The server stops: let the client look for another."""
        if self.state == self.STATE_OPEN:
            self.close(1012, "service restart")
        elif hasattr(self, "handshake_deferred"):
            self.serverReject()

    def check_timeouts(self) -> None:
        super().check_timeouts()
        if self.state == self.STATE_CLOSED:
            now = time.monotonic()
            self._closed_since = self._closed_since or now
            if now - self._closed_since > _LINGER_SECONDS:
                self.transport.abortConnection()

    # Twisted's push producer interface: it tells us when the socket's buffer is full and when it has room.

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.writable.clear()
        # Nor is anything read from who reads nothing: each of their pings would have to be answered.
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.writable.set()
        self.transport.resumeProducing()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.writable.set()
