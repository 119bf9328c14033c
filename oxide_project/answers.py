"""Django's responses as the events of ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html#response-start-send-event"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http.response import HttpResponseBase

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
    headers: list[tuple[bytes, bytes]]
    content: bytes

    @property
    def events(self) -> tuple[Event, Event]:
        return _start(self.status, self.headers), body(self.content)


def whole(response: Any) -> Answer:
    content = response.content
    if "Content-Length" not in response and response.status_code not in _WITHOUT_LENGTH:
        response["Content-Length"] = str(len(content))
    return Answer(response.status_code, _headers(response), content)


def head(response: HttpResponseBase) -> Event:
    return _start(response.status_code, _headers(response))


def body(content: bytes, *, more: bool = False) -> Event:
    return {"type": BODY, "body": content, "more_body": more}


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> Event:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [(b"Set-Cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
    return headers


async def send_whole(send: Send, answer: Answer) -> None:
    for event in answer.events:
        await send(event)
