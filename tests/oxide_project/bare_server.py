"""The server alone with an ASGI application of a few lines: run by `test_server.py` as a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "oxide_project.settings"
django.setup(set_prefix=False)

from oxide_project import channel, server  # noqa: E402 - the settings must be there first
from oxide_project.answers import ABORT  # noqa: E402

PIECE = b"x" * 65_536
BODY = "http.response.body"

sent = 0


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    global sent  # noqa: PLW0603 - asked for by another request
    while (await receive()).get("more_body"):
        pass
    total = str(sent).encode()
    lengths = {"/whole": b"20000000", "/broken": b"20000000", "/sent": b"%d" % len(total)}
    length = lengths.get(scope["path"])
    headers = [(b"content-length", length)] if length else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/endless":
        leaving = asyncio.ensure_future(receive())
        while not leaving.done():
            await send({"type": BODY, "body": PIECE, "more_body": True})
            sent += len(PIECE)
            await asyncio.sleep(0)
    elif scope["path"] == "/broken":
        await send({"type": BODY, "body": PIECE, "more_body": True})
        await send({"type": ABORT})
    elif scope["path"] == "/whole":
        await send({"type": BODY, "body": b"x" * 20_000_000})
    elif scope["path"] == "/waits":
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            sys.stderr.write("cancelled\n")
            raise
    else:
        await send({"type": BODY, "body": total})


def main(stall_seconds: str, drain_seconds: str, head_seconds: str = "30", body_seconds: str = "60") -> None:
    channel.HEAD_SECONDS = float(head_seconds)
    channel.BODY_SECONDS = float(body_seconds)
    channel.BODY_BYTES_A_SECOND = 10
    server.STALL_SECONDS = float(stall_seconds)
    sock = socket.create_server(("127.0.0.1", 0), backlog=128)
    sys.stdout.write(f"{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    server.OxideServer(application, sock.detach(), float(drain_seconds)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
