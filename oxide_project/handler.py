"""The HTTP side of the ASGI application: each request runs on one thread from start to end.

Django's own ASGI handler makes an executor and a thread for each request, and hops between them
and the event loop once for each middleware. Here the whole synchronous chain (middleware, view,
rendering, signals) runs on one worker of one bounded pool: a thread's database connection is
reused, and a hundred callers who wait for a provider cost a hundred waiting threads.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import closing, suppress
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core import signals
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from gateway.paths import canonical
from oxide_project import errors
from oxide_project.answers import ABORT, Event, Receive, Send, body, head, send_whole, whole
from oxide_project.errors import Problem
from oxide_project.refusals import refuse
from oxide_project.streams import Sender
from services.adapters.call import CancelToken
from tasks.event_stream import EventStream

logger = logging.getLogger(__name__)

Scope = dict[str, Any]

SPOOL_BYTES = 1024 * 1024
# Whoever is refused because every thread is taken must not wait for one.
REFUSING_THREADS = 2

# Answered however many others wait: a process that is only busy must not look like a dead one.
PROBES = ("/health", "/ready")


class Request(ASGIRequest):
    """A request with a token that is set when its client goes away."""

    cancel: CancelToken


class Client:
    """Who waits for an answer, as the worker that makes it sees them."""

    def __init__(self, send: Send) -> None:
        self.cancel = CancelToken()
        self.gone = False
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._sending: Future[None] | None = None
        self._on_leave: Callable[[], None] | None = None

    def stream(self, response: EventStream, path: str) -> None:
        """On a worker: send events while they are made."""
        sender = Sender(response, path, self._send, self._loop)
        with self._lock:
            self._on_leave = sender.leave
        if self.gone:
            sender.leave()
        sender.run()

    def send(self, event: Event) -> None:
        """On a worker: hand an event over, and wait until a slow reader has room for more."""
        with self._lock:
            if self.gone:
                return
            self._sending = sending = asyncio.run_coroutine_threadsafe(self._deliver(event), self._loop)
        with suppress(CancelledError):  # gone in the meantime
            sending.result()

    async def _deliver(self, event: Event) -> None:
        await self._send(event)

    def leave(self) -> None:
        """On the event loop: nobody waits any more. A worker that does wait is woken."""
        with self._lock:
            self.gone = True
            if self._sending:
                self._sending.cancel()
            if self._on_leave:
                self._on_leave()
        self.cancel.cancel()


class PooledHandler(ASGIHandler):
    """Answers on threads of `pool`, at most `limit` requests at once and probes besides."""

    request_class = Request

    def __init__(self, pool: Executor, limit: int) -> None:
        # Past ASGIHandler's own: it would load the middleware to run on the event loop.
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)
        self._pool = pool
        self._refusing = ThreadPoolExecutor(REFUSING_THREADS, thread_name_prefix="refusal")
        self._limit = limit
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._take(scope, receive, send)
        except Exception:
            # daphne has no answer to it that arrives in time, or at all where an answer was begun.
            logger.exception("%s broke off.", scope["path"])
            await send({"type": ABORT})

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        if body is TOO_BIG:
            await self._refuse(scope, errors.too_big(), send)
        elif self._in_hand >= self._limit and scope["path"].rstrip("/") not in PROBES:
            # Every thread is taken. Waiting in line would only move the wait to where nobody sees it.
            await self._refuse(scope, errors.overloaded(), send)
        else:
            await self._handle(scope, body, receive, send)

    async def _refuse(self, scope: Scope, problem: Problem, send: Send) -> None:
        loop = asyncio.get_running_loop()
        await send_whole(send, await loop.run_in_executor(self._refusing, refuse, scope, problem))

    async def _handle(self, scope: Scope, body: IO[bytes], receive: Receive, send: Send) -> None:
        client = Client(send)
        self._in_hand += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._answer, scope, body, client)
        work.add_done_callback(self._let_go)
        gone = asyncio.ensure_future(receive())
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():  # the client went away, or the server stops
                client.leave()
        # Shielded: the thread works on until it sees that it need not, and is counted until then.
        for event in await asyncio.shield(work):
            await send(event)

    def _let_go(self, _work: object) -> None:
        self._in_hand -= 1

    def _answer(self, scope: Scope, body: IO[bytes], client: Client) -> Iterable[Event]:
        """Runs on a worker. Returns the events of a whole answer; a streamed one it sends itself."""
        try:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            # Closing sends request_finished, on the thread that owns the database connection.
            with closing(self._respond(scope, body, client.cancel)) as response:
                if isinstance(response, EventStream):
                    client.stream(response, scope["path"])
                    return ()
                if isinstance(response, StreamingHttpResponse):
                    _pump(response, client)
                    return ()
                return whole(response)
        except Exception as error:
            logger.exception("%s could not be answered.", scope["path"])
            signals.request_finished.send(sender=self.__class__)
            return whole(errors.answer(errors.problem_of(error), scope["path"]))
        finally:
            body.close()

    def _respond(self, scope: Scope, body: IO[bytes], cancel: CancelToken) -> HttpResponseBase:
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return refuse(scope, errors.malformed("The address holds a NUL character (%00). Take it out."))
        try:
            request = Request({**scope, "path": canonical(scope["path"])}, body)
        except (LookupError, ValueError):  # of characters and encodings
            return refuse(scope, errors.malformed("The address or a header cannot be decoded. Check Content-Type."))
        request.cancel = cancel
        response = self.get_response(request)
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        return response


TOO_BIG: IO[bytes] = BytesIO()


async def _read_body(receive: Receive) -> IO[bytes] | None:
    """The whole body, `TOO_BIG`, or None where the client went away before it was there."""
    event = await receive()
    if event["type"] == "http.request" and not event.get("more_body"):
        return BytesIO(event.get("body", b""))
    file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed by `_answer`
    while event["type"] != "http.disconnect":
        file.write(event.get("body", b""))
        if file.tell() > settings.MAX_BODY_BYTES:
            file.close()
            return TOO_BIG
        if not event.get("more_body"):
            file.seek(0)
            return file
        event = await receive()
    file.close()
    return None


def _pump(response: StreamingHttpResponse, client: Client) -> None:
    """Send a streamed body piece by piece, each when the one before has gone."""
    client.send(head(response))
    try:
        for chunk in response:
            client.send(body(chunk, more=True))
            if client.gone:
                return
    except Exception:
        logger.exception("A streamed answer broke off.")
        client.send({"type": ABORT})
    else:
        client.send(body(b""))
