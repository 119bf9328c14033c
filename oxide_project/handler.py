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
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core import signals
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from oxide_project import errors
from services.adapters.call import CancelToken

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Event = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

SPOOL_BYTES = 1024 * 1024


class Request(ASGIRequest):
    """A request with a token that is set when its client goes away."""

    cancel: CancelToken


class PooledHandler(ASGIHandler):
    """Answers on threads of `pool`, at most `limit` requests at once."""

    request_class = Request

    def __init__(self, pool: Executor, limit: int) -> None:
        # Past ASGIHandler's own: it would load the middleware to run on the event loop.
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)
        self._pool = pool
        self._limit = limit
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        if body is TOO_BIG:
            await _send_whole(send, errors.answer(errors.too_big()))
        elif self._in_hand >= self._limit:
            # Every thread is taken. Waiting in line would only move the wait to where nobody sees it.
            await _send_whole(send, errors.answer(errors.overloaded()))
        else:
            await self._handle(scope, body, receive, send)

    async def _handle(self, scope: Scope, body: IO[bytes], receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        cancel = CancelToken()

        def send_and_wait(event: Event) -> None:
            asyncio.run_coroutine_threadsafe(send(event), loop).result()  # type: ignore[arg-type]

        self._in_hand += 1
        try:
            work = loop.run_in_executor(self._pool, self._answer, scope, body, cancel, send_and_wait)
            gone = asyncio.ensure_future(receive())
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                cancel.cancel()
            gone.cancel()
            for event in await work:
                await send(event)
        finally:
            self._in_hand -= 1

    def _answer(
        self, scope: Scope, body: IO[bytes], cancel: CancelToken, send: Callable[[Event], None]
    ) -> Iterable[Event]:
        """Runs on a worker. Returns the events of a whole answer; a streamed one it sends itself."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        response = self._respond(scope, body, cancel)
        try:
            if isinstance(response, StreamingHttpResponse):
                _pump(response, cancel, send)
                return ()
            return _whole(response)
        finally:
            response.close()  # sends request_finished, on the thread that owns the database connection
            body.close()

    def _respond(self, scope: Scope, body: IO[bytes], cancel: CancelToken) -> HttpResponseBase:
        try:
            request = Request(scope, body)
        except UnicodeDecodeError:  # in the path
            return errors.bad_request()
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


def _start(response: HttpResponseBase) -> Event:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [(b"Set-Cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def _whole(response: Any) -> Iterable[Event]:
    return _start(response), {"type": "http.response.body", "body": response.content}


async def _send_whole(send: Send, response: HttpResponseBase) -> None:
    for event in _whole(response):
        await send(event)


def _pump(response: StreamingHttpResponse, cancel: CancelToken, send: Callable[[Event], None]) -> None:
    """Send a streamed body piece by piece, each when the one before has gone."""
    send(_start(response))
    try:
        for chunk in response:
            if cancel.cancelled:
                return
            send({"type": "http.response.body", "body": chunk, "more_body": True})
    except Exception:
        logger.exception("A streamed answer broke.")
    send({"type": "http.response.body", "body": b""})
