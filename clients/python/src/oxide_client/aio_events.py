"""Live events for the asynchronous client, on aiohttp's own WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

import aiohttp

from oxide_client import errors, live
from oxide_client.errors import ConnectionFailedError, UnauthorizedError
from oxide_client.live import Line, LiveEvent, Topic
from oxide_client.typing_names import Self

if TYPE_CHECKING:
    from oxide_client.aio import AsyncOxide


class AsyncEvents:
    """An endless iterator of events. A connection that breaks is made again, and an event says so.

    The first connection has to succeed: entering raises `ConnectionFailedError` and its like. Later only what cannot
    get well by itself is raised, such as `UnauthorizedError`.
    """

    def __init__(self, client: AsyncOxide, topics: Iterable[Topic], task_ids: Iterable[str]) -> None:
        self._client = client
        self._line = Line(topics, task_ids)
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._used: str | None = None
        self._pause = 0.0
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End it; whoever iterates comes to the end."""
        self._closed.set()
        if self._socket is not None:
            await self._socket.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LiveEvent:
        if self._closed.is_set():
            raise StopAsyncIteration
        if self._socket is None:
            return await self._connect_again()
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            self._line.settled()
            return self._line.read(message.data)
        if self._closed.is_set():
            raise StopAsyncIteration
        return await self._lost(self._socket, str(message.extra or ""))

    async def subscribe(self, *, topics: Iterable[Topic] = (), task_id: str | None = None) -> None:
        """Hear of these, too; of a task also what its model says. It holds for later connections as well."""
        await self._say(self._line.subscribe(topics, task_id))

    async def unsubscribe(self, *, topics: Iterable[Topic] = (), task_id: str | None = None) -> None:
        await self._say(self._line.unsubscribe(topics, task_id))

    async def ping(self) -> None:
        """A `pong` event answers."""
        await self._say("ping")

    async def _say(self, message: str) -> None:
        """While there is no connection nothing is said: the next one begins with what is subscribed."""
        if self._socket is None or self._socket.closed:
            return
        try:
            await self._socket.send_str(message)
        except (aiohttp.ClientError, OSError):
            return  # whoever reads notices it and connects again

    async def _connect(self) -> None:
        client = self._client
        self._used = client._tokens.access  # noqa: SLF001 - a part of it
        url = live.address(client.base_url)
        # Of a type that differs from one release of Python to the next.
        made: Any = client._connections().ws_connect(  # noqa: SLF001
            url,
            protocols=live.protocols(self._used),
            headers=live.HEADERS,
            heartbeat=live.HEARTBEAT_SECONDS,
            max_msg_size=0,
            proxy=client._proxy,  # noqa: SLF001
        )
        try:
            socket: aiohttp.ClientWebSocketResponse = await asyncio.wait_for(made, live.CONNECT_SECONDS)
            for message in self._line.greeting():
                await socket.send_str(message)
        except aiohttp.WSServerHandshakeError as error:
            raise live.refusal(error.status, url) from error
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            failure = errors.not_connected(url, error)
            failure.__cause__ = error
            raise await client._explained(failure) from error  # noqa: SLF001
        client._has_answered = True  # noqa: SLF001
        self._socket = socket

    async def _connect_again(self) -> LiveEvent:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._closed.wait(), self._pause)
            raise StopAsyncIteration
        try:
            await self._connect()
        except ConnectionFailedError as error:
            event = self._line.lost(str(error))
            self._pause = event["retry_in"]
            return event
        return self._line.found()

    async def _lost(self, socket: aiohttp.ClientWebSocketResponse, reason: str) -> LiveEvent:
        code = socket.close_code
        self._socket = None
        final = self._line.end_of(code, reason)
        if final and not (isinstance(final, UnauthorizedError) and await self._client._renew(self._used)):  # noqa: SLF001
            self._closed.set()
            raise final
        event = self._line.lost(reason or f"closed with {code}")
        self._pause = event["retry_in"]
        return event
