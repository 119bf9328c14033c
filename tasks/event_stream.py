"""An answer as server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import orjson
from django.http import StreamingHttpResponse

from tasks.pipeline import Run, stream
from tasks.reading import Piece

TYPE = "text/event-stream; charset=utf-8"


def event(data: Any, name: str = "") -> bytes:
    """One event. `data` is written as JSON, on one line."""
    return encoded(orjson.dumps(data, default=str), name)


def encoded(data: bytes, name: str = "") -> bytes:
    """One event whose data are JSON already, on one line or more."""
    if b"\n" in data or b"\r" in data:  # between two tokens, for no string holds one: a blank says the same
        data = b" ".join(data.splitlines())
    head = f"event: {name}\n".encode() if name else b""
    return b"%bdata: %b\n\n" % (head, data)


class EventStream(StreamingHttpResponse):
    """A task's answer as it comes, in one dialect or another. The task begins when it is sent.

    The status and the headers are held back until the provider says something, so that a task that
    fails before that is answered with a real error; but not for longer than a client can be left in
    doubt. Who sends it (oxide_project/streams.py) calls `opening` for what is to be sent first,
    `complaint` where the task fails later, and sends `HEARTBEAT` while nothing else is to be said,
    so that no proxy on the way takes the connection for dead.
    """

    HEARTBEAT: ClassVar[bytes] = b": ping\n\n"
    OWN_HEADERS = frozenset({"Content-Type", "Cache-Control", "X-Accel-Buffering"})
    """Those that an error in its place has not."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(self._events(), content_type=TYPE)
        self["Cache-Control"] = "no-cache, no-store, no-transform"
        self["X-Accel-Buffering"] = "no"  # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering

    def opening(self) -> bytes:
        """What comes before everything else. Also the last moment to set headers."""
        return b""

    @abstractmethod
    def pieces(self, piece: Piece) -> Iterator[bytes]:
        """The events that tell a piece of the answer."""

    @abstractmethod
    def closing(self) -> Iterator[bytes]:
        """The events at the end of an answered or cancelled task, which is recorded by then."""

    @abstractmethod
    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        """The event that ends a stream whose task has failed. `problem` is the error's body in the API's own format."""

    def _events(self) -> Iterator[bytes]:
        for piece in stream(self.run):
            yield from self.pieces(piece)
        yield from self.closing()
