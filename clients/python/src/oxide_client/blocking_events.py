"""Live events for the synchronous client, on websockets."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, cast

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from oxide_client import errors, live
from oxide_client.errors import ConnectionFailedError, UnauthorizedError
from oxide_client.live import Line, LiveEvent, Topic
from oxide_client.typing_names import Self

if TYPE_CHECKING:
    from oxide_client.blocking import Oxide


class Events:
    """An endless iterator of events. A connection that breaks is made again, and an event says so.

    The first connection has to succeed: entering raises `ConnectionFailedError` and its like. Later only what cannot
    get well by itself is raised, such as `UnauthorizedError`. Any thread may subscribe or close while one iterates.
    """

    def __init__(self, client: Oxide, topics: Iterable[Topic], task_ids: Iterable[str]) -> None:
        self._client = client
        self._line = Line(topics, task_ids)
        self._socket: ClientConnection | None = None
        self._used: str | None = None
        self._pause = 0.0
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; whoever iterates comes to the end."""
        self._closed.set()
        socket = self._socket
        if socket is not None:
            socket.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> LiveEvent:
        if self._closed.is_set():
            raise StopIteration
        if self._socket is None:
            return self._connect_again()
        try:
            message = self._socket.recv()
        except ConnectionClosed as end:
            if self._closed.is_set():
                raise StopIteration from None
            code, reason = (end.rcvd.code, end.rcvd.reason) if end.rcvd else (None, "")
            return self._lost(code, reason)
        self._line.settled()
        return self._line.read(cast("str", message))

    def subscribe(self, *, topics: Iterable[Topic] = (), task_id: str | None = None) -> None:
        """Hear of these, too; of a task also what its model says. It holds for later connections as well."""
        self._say(self._line.subscribe(topics, task_id))

    def unsubscribe(self, *, topics: Iterable[Topic] = (), task_id: str | None = None) -> None:
        self._say(self._line.unsubscribe(topics, task_id))

    def ping(self) -> None:
        """A `pong` event answers."""
        self._say("ping")

    def _say(self, message: str) -> None:
        """While there is no connection nothing is said: the next one begins with what is subscribed."""
        socket = self._socket
        if socket is None:
            return
        try:
            socket.send(message)
        except ConnectionClosed:
            return  # whoever reads notices it and connects again

    def _connect(self) -> None:
        client = self._client
        self._used = client._tokens.access  # noqa: SLF001 - a part of it
        url = live.address(client.base_url)
        try:
            # Entered, as every release of websockets wants it; `close` is what leaving it would do.
            socket = connect(
                url,
                subprotocols=[Subprotocol(name) for name in live.protocols(self._used)],
                user_agent_header=live.HEADERS["User-Agent"],
                open_timeout=live.CONNECT_SECONDS,
                close_timeout=1,
                ping_interval=live.HEARTBEAT_SECONDS,
                ping_timeout=live.HEARTBEAT_SECONDS / 2,
                max_size=None,
                proxy=client._proxy,  # noqa: SLF001
            ).__enter__()
            for message in self._line.greeting():
                socket.send(message)
        except InvalidStatus as error:
            raise live.refusal(error.response.status_code, url) from error
        except (InvalidHandshake, ConnectionClosed, OSError, EOFError) as error:
            failure = errors.not_connected(url, error)
            failure.__cause__ = error
            raise client._explained(failure) from error  # noqa: SLF001
        client._has_answered = True  # noqa: SLF001
        self._socket = socket

    def _connect_again(self) -> LiveEvent:
        if self._closed.wait(self._pause):
            raise StopIteration
        try:
            self._connect()
        except ConnectionFailedError as error:
            event = self._line.lost(str(error))
            self._pause = event["retry_in"]
            return event
        return self._line.found()

    def _lost(self, code: int | None, reason: str) -> LiveEvent:
        self._socket = None
        final = self._line.end_of(code, reason)
        if final and not (isinstance(final, UnauthorizedError) and self._client._renew(self._used)):  # noqa: SLF001
            self._closed.set()
            raise final
        event = self._line.lost(reason or f"closed with {code or 1006}")
        self._pause = event["retry_in"]
        return event
