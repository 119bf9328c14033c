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
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from io import SEEK_END, BytesIO
from typing import IO, Any

from django.conf import settings
from django.core import signals
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.handlers.exception import convert_exception_to_response
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from django.utils.log import log_response
from django.utils.module_loading import import_string

from gateway.paths import canonical
from oxide_project import errors
from oxide_project.answers import ABORT, Answer, Event, Receive, Send, body, head, send_whole, whole
from oxide_project.errors import Problem
from oxide_project.pool import Pool
from oxide_project.refusals import refuse
from oxide_project.streams import Sender
from services.adapters.call import CancelToken
from tasks.event_stream import EventStream

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
End = Callable[[Answer | None], object]
Respond = Callable[[HttpRequest], HttpResponseBase]

SPOOL_BYTES = 1024 * 1024
# Whoever is refused because every thread is taken must not wait for one.
REFUSING_THREADS = 2

# Answered however many others wait: a process that is only busy must not look like a dead one.
PROBES = ("/health", "/ready")


PROGRAMS_CALL = ("/v1/", "/api/", "/metrics", *PROBES)


class Request(ASGIRequest):
    """A request with a token that is set when its client goes away."""

    cancel: CancelToken
    # What REST framework makes of it.
    wrapper: Any = None

    def close(self) -> None:
        """REST framework's view, request and response hold each other. Left so, the bodies of hundreds of requests and
        answers stay in memory until the garbage collector's turn comes, which goes by their number, not their size.
        """
        super().close()
        if self.wrapper:
            context, self.wrapper = self.wrapper.parser_context, None
            view = vars(context["view"])
            for held in (getattr(view.get("response"), "renderer_context", {}), view, context):
                held.clear()


class Client:
    """Who waits for an answer, as the worker that makes it sees them.

    `deliver` sends a whole answer from the worker, and returns whether it could.
    """

    def __init__(self, send: Send, deliver: Callable[[Answer], bool] = lambda _answer: False) -> None:
        self.cancel = CancelToken()
        self.gone = False
        self.deliver = deliver
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

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """On a worker: have something done on the event loop."""
        with suppress(RuntimeError):  # the server has stopped meanwhile
            self._loop.call_soon_threadsafe(function, *arguments)

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

    def __init__(self, pool: Pool, limit: int) -> None:
        # Past ASGIHandler's own: it would load the middleware to run on the event loop.
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)
        self._pool = pool
        self._refusing = ThreadPoolExecutor(REFUSING_THREADS, thread_name_prefix="refusal")
        self._limit = limit
        # Who waits for an answer. Adding to a set, and taking from it, needs no lock.
        self._waiting: set[Client] = set()
        # Of them those whose answer is being sent: they may ask again before its thread knows that it is free.
        self._leaving: set[Client] = set()

    def load_middleware(self, is_async: bool = False) -> None:
        """Django's own chain, and a shorter one for programs, which have no session and send no forms."""
        super().load_middleware(is_async)
        base: Any = super()  # its stubs tell nothing of what it is made of
        self._for_pages: Respond = self.__dict__["_middleware_chain"]
        chain: Any = convert_exception_to_response(base._get_response)  # noqa: SLF001 - our own base class
        for name in reversed(settings.PROGRAM_MIDDLEWARE):
            chain = convert_exception_to_response(import_string(name)(chain))
        self._for_programs: Respond = chain
        self._middleware_chain = self._by_caller

    def _by_caller(self, request: HttpRequest) -> HttpResponseBase:
        is_program = request.path_info.startswith(PROGRAMS_CALL) and "HTTP_COOKIE" not in request.META
        return self._for_programs(request) if is_program else self._for_pages(request)

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """What Django's does, but that no request has routes of its own here, which would have to be forgotten."""
        response: Any = self._by_caller(request)  # its stubs tell nothing of what must be closed
        response._resource_closers.append(request.close)  # noqa: SLF001 - as Django's
        if response.status_code >= 400:
            log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request)
        found: HttpResponseBase = response
        return found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request as any ASGI server brings it; `oxide_project/server.py` calls `begin`."""
        try:
            body = await _read_body(receive)
            if body is not None:
                await self._take(scope, body, receive, send)
        except Exception:
            # daphne has no answer to it that arrives in time, or at all where an answer was begun.
            logger.exception("%s broke off.", scope["path"])
            await send({"type": ABORT})

    async def _take(self, scope: Scope, body: IO[bytes], receive: Receive, send: Send) -> None:
        client = Client(send)
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def end(answer: Answer | None) -> None:
            if not answered.cancelled():
                answered.set_result(answer)

        self.begin(scope, body, client, end)
        if body is not TOO_BIG:  # else what is left of it would come now
            gone = asyncio.ensure_future(receive())
            try:
                await asyncio.wait((answered, gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                if not answered.done():  # the client went away, or the server stops
                    client.leave()
        # The thread works on until it sees that it need not.
        answer = await answered
        if answer:
            await send_whole(send, answer)

    @property
    def in_hand(self) -> int:
        return len(self._waiting)

    def begin(self, scope: Scope, body: IO[bytes], client: Client, end: End) -> None:
        """On the event loop: have a request answered whose body is there, or `TOO_BIG`.

        Calls `end` on the event loop, with the answer to be sent or, where it was sent as a stream, with None. Where
        `client` takes the answer from the worker, it is not called.
        """
        if body is TOO_BIG:
            self.refuse(scope, errors.too_big(), client, end)
        elif self.in_hand >= self._limit and scope["path"].rstrip("/") not in PROBES:
            # Every thread is taken. Waiting in line would only move the wait to where nobody sees it.
            self.refuse(scope, errors.overloaded(), client, end)
        else:
            self._waiting.add(client)
            self._pool.begin(partial(self._work, scope, body, client, end), self._threads_needed)

    def refuse(self, scope: Scope, problem: Problem, client: Client, end: End) -> None:
        """On the event loop: have a request answered that no view will see."""
        self._refusing.submit(self._refuse, scope, problem, client, end)

    def _threads_needed(self) -> int:
        return len(self._waiting - self._leaving)

    def _end(self, client: Client, end: End, answer: Answer | None) -> None:
        self._waiting.discard(client)
        end(answer)

    # On a worker

    def _work(self, scope: Scope, body: IO[bytes], client: Client, end: End) -> None:
        answer = self._answer(scope, body, client)
        self._leaving.add(client)
        if answer and client.deliver(answer):
            self._waiting.discard(client)
        else:
            client.call(self._end, client, end, answer)
        self._leaving.discard(client)

    def _refuse(self, scope: Scope, problem: Problem, client: Client, end: End) -> None:
        try:
            answer = whole(refuse(scope, problem))
        except Exception:
            logger.exception("%s could not be refused as it should.", scope["path"])
            answer = whole(errors.answer(problem, scope["path"]))
        client.call(end, answer)

    def _answer(self, scope: Scope, body: IO[bytes], client: Client) -> Answer | None:
        """The whole answer; a streamed one is sent from here."""
        try:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            # Closing sends request_finished, on the thread that owns the database connection.
            with closing(self._respond(scope, body, client.cancel)) as response:
                if isinstance(response, EventStream):
                    client.stream(response, scope["path"])
                    return None
                if isinstance(response, StreamingHttpResponse):
                    _pump(response, client)
                    return None
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
        if "CONTENT_LENGTH" not in request.META and (size := body.seek(0, SEEK_END)):
            request.META["CONTENT_LENGTH"] = str(size)  # it came in chunks: REST framework takes none without a length
        body.seek(0)
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
