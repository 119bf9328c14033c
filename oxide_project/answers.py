"""Django's responses as the events of ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html#response-start-send-event"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from django.http.response import HttpResponseBase

Event = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

BODY = "http.response.body"
# An event beside ASGI's, which `oxide_project/server.py` knows: break the connection off, so that nobody takes what
# was sent for all there is.
ABORT = "oxide.abort"


def head(response: HttpResponseBase) -> Event:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [(b"Set-Cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def body(content: bytes, *, more: bool = False) -> Event:
    return {"type": BODY, "body": content, "more_body": more}


def whole(response: Any) -> Iterable[Event]:
    return head(response), body(response.content)


async def send_whole(send: Send, response: HttpResponseBase) -> None:
    for event in whole(response):
        await send(event)
