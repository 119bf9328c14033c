"""One request to an ASGI application, as a server brings it, and what comes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from oxide_project.answers import Event
from oxide_project.handler import PooledHandler
from tests.waiting import wait_until


@dataclass
class Exchange:
    """One request and what came of it. `took` is asked before each event is taken, as a slow reader would."""

    path: str
    method: str = "GET"
    query: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: list[bytes] = field(default_factory=lambda: [b""])
    took: Callable[[Event], Awaitable[None]] | None = None
    events: list[Event] = field(default_factory=list)
    received: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, handler: PooledHandler) -> Exchange:
        await handler(self.scope, self.receive, self.send)
        return self

    @property
    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "query_string": self.query,
            "headers": [(b"host", b"localhost"), *self.headers],
            "client": ["127.0.0.1", 1],
            "server": ["127.0.0.1", 80],
        }

    async def receive(self) -> Event:
        if self.received < len(self.body):
            self.received += 1
            piece = self.body[self.received - 1]
            return {"type": "http.request", "body": piece, "more_body": self.received < len(self.body)}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        if self.took:
            await self.took(event)
        self.events.append(event)

    @property
    def status(self) -> int:
        starts = [event for event in self.events if event["type"] == "http.response.start"]
        assert len(starts) == 1
        assert starts[0] is self.events[0]
        return int(starts[0]["status"])

    def header(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.events[0]["headers"] if key.lower() == name]

    @property
    def content(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.events)

    @property
    def is_complete(self) -> bool:
        last = self.events[-1]
        return bool(last["type"] == "http.response.body") and not last.get("more_body")

    @property
    def json(self) -> Any:
        return json.loads(self.content)


async def until(happened: Callable[[], object]) -> None:
    """`wait_until` without holding the event loop up."""
    await asyncio.get_running_loop().run_in_executor(None, wait_until, happened)
