"""Sends event streams: a worker makes the events, the event loop sends them.

The worker does not wait for each event to be gone: events that come faster than they can be sent
pile up, to be sent in one piece, and only a client that reads more slowly than its provider speaks
makes the worker (and so the provider) wait.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, Future
from contextlib import suppress

from oxide_project import errors
from oxide_project.answers import Send, body, head, send_whole, whole
from tasks.event_stream import EventStream

# How long a client is left without even a status while no provider has said anything.
HOLD_SECONDS = 10.0
# Load balancers drop what is silent for a minute, some for half of that.
HEARTBEAT_SECONDS = 15.0
# So much may wait for a slow client before its worker does, too.
WINDOW_BYTES = 64 * 1024


class Sender:
    """One stream to one client: `run` belongs to a worker, `leave` and what is below it to the event loop."""

    def __init__(self, response: EventStream, path: str, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._response = response
        self._path = path
        self._send = send
        self._loop = loop
        self._room = threading.Condition()
        self._waiting: list[bytes] = []
        self._size = 0
        self._failure: Exception | None = None
        self._is_over = self._is_gone = False
        self._sending: Future[None] | None = None
        self._something = asyncio.Event()
        self._turn = asyncio.Lock()
        self._is_open = False
        self._last_sent = loop.time()

    def run(self) -> None:
        """Send the whole stream. The task is done, and recorded, even where its client goes away."""
        self._sending = asyncio.run_coroutine_threadsafe(self._deliver(), self._loop)
        try:
            for chunk in self._response:
                self._put(chunk)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            errors.log(error, self._path)
            self._failure = error
        self._is_over = True
        self._wake()
        with suppress(CancelledError):  # the client left
            self._sending.result()

    def _put(self, chunk: bytes) -> None:
        with self._room:
            if self._is_gone:
                return
            if not self._waiting:
                self._wake()
            self._waiting.append(chunk)
            self._size += len(chunk)
            self._room.wait_for(lambda: self._is_gone or self._size < WINDOW_BYTES)

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._something.set)

    def leave(self) -> None:
        """The client is gone: nobody is to wait for it any more."""
        self._give_up()
        if self._sending:
            self._sending.cancel()

    def _give_up(self) -> None:
        with self._room:
            self._is_gone = True
            self._room.notify()
        self._something.set()

    async def _deliver(self) -> None:
        beating = self._loop.create_task(self._beat())
        try:
            while not self._is_gone:
                await self._something.wait()
                self._something.clear()
                is_over = self._is_over  # asked first: what is put before it is said is sent
                await self._send_waiting()
                if is_over:
                    async with self._turn:  # not in the middle of its saying something
                        beating.cancel()
                    return await self._end()
        finally:
            beating.cancel()
            self._give_up()

    async def _send_waiting(self) -> None:
        with self._room:
            chunks, self._waiting = self._waiting, []
        if chunks and not self._is_gone:
            data = b"".join(chunks)
            await self._say(data)
            with self._room:
                self._size -= len(data)
                self._room.notify()

    async def _beat(self) -> None:
        await asyncio.sleep(HOLD_SECONDS)
        while not self._is_gone:
            silence = self._loop.time() - self._last_sent
            if self._is_open and silence < HEARTBEAT_SECONDS:
                await asyncio.sleep(HEARTBEAT_SECONDS - silence)
            else:
                await self._say(self._response.HEARTBEAT)

    async def _say(self, data: bytes) -> None:
        self._last_sent = self._loop.time()
        async with self._turn:
            if not self._is_open:
                self._is_open = True
                data = self._response.opening() + data
                await self._send(head(self._response))
            await self._send(body(data, more=True))

    async def _end(self) -> None:
        problem = errors.problem_of(self._failure) if self._failure else None
        if problem and not self._is_open:
            await self._refuse(problem)
        else:
            await self._say(self._response.complaint(problem.status, problem.body) if problem else b"")
            await self._send(body(b""))

    async def _refuse(self, problem: errors.Problem) -> None:
        """The task failed before anything was said: an error as if there had been no stream."""
        answer = errors.answer(problem, self._path)
        for name, value in self._response.items():
            if name not in self._response.OWN_HEADERS:
                answer.headers.setdefault(name, value)
        await send_whole(self._send, whole(answer))
