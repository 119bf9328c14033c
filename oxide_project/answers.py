"""Django's responses as the events of ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html#response-start-send-event"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http.response import HttpResponseBase

from gateway import headers

Event = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

BODY = "http.response.body"
# An event beside ASGI's, which `oxide_project/server.py` knows: break the connection off, so that nobody takes what
# was sent for all there is.
ABORT = "oxide.abort"
# https://www.rfc-editor.org/rfc/rfc9110#section-8.6
_WITHOUT_LENGTH = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, as it goes over the wire but for its framing."""

    status: int
    headers: list[tuple[str, str]]
    """Latin-1 text. https://docs.djangoproject.com/en/5.2/ref/request-response/#setting-header-fields"""
    content: bytes

    @property
    def events(self) -> tuple[Event, Event]:
        return _start(self.status, self.headers), body(self.content)


def whole(response: Any) -> Answer:
    content = response.content
    if "Content-Length" not in response and response.status_code not in _WITHOUT_LENGTH:
        headers.put(response, {"Content-Length": str(len(content))})
    return Answer(response.status_code, headers.all_of(response), content)


def head(response: HttpResponseBase) -> Event:
    return _start(response.status_code, headers.all_of(response))


def body(content: bytes, *, more: bool = False) -> Event:
    return {"type": BODY, "body": content, "more_body": more}


def _start(status: int, lines: list[tuple[str, str]]) -> Event:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def send_whole(send: Send, answer: Answer) -> None:
    for event in answer.events:
        await send(event)
