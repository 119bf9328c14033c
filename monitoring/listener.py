"""One client of `/ws` as the hub sees it: what it wants to hear, and what waits to be sent to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from apikeys.identity import NOBODY
from monitoring.news import OPEN_TOPICS, News, Topic

MOST_MESSAGES = 1_000
MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last thing to be sent: a close code of RFC 6455 or, from 4000 on, of ours, with a short reason."""

    code: int
    reason: str


class Listener:
    """A bounded queue. Where it runs over, the client is too slow: it is emptied for good, and `on_overflow` has to
    close the connection, so that nobody goes on with a gap that they do not know of.

    `identity` is whose events it gets: of a caller without the scope `read` those of its own tasks.
    `on_gap` is called where news may have been lost on the way here: the client needs the whole again.
    All of it belongs to the event loop.
    """

    def __init__(self, on_overflow: Callable[[], None], on_gap: Callable[[], None]) -> None:
        self.identity = NOBODY
        self.topics: set[Topic] = set(OPEN_TOPICS)
        self.tasks: set[str] = set()
        self.on_gap = on_gap
        self.is_finished = False
        self._on_overflow = on_overflow
        self._queue: deque[str | Goodbye] = deque()
        self._held: list[str] | None = None
        self._messages = self._characters = 0
        self._filled = asyncio.Event()

    def hears(self, news: News) -> bool:
        is_wanted = news.topic in self.topics or news.subject in self.tasks
        return is_wanted and self.identity.may_see(news.caller)

    def put(self, *texts: str) -> None:
        """Answers to the client itself."""
        self._count(*texts)
        if not self.is_finished:
            self._queue.extend(texts)
            self._filled.set()

    def tell(self, text: str) -> None:
        """News from the hub."""
        if self._held is None:
            self.put(text)
        elif not self.is_finished:
            self._held.append(text)
            self._count(text)

    def hold(self) -> None:
        """Keep news back until `release`: something older has to be told first."""
        if self._held is None:
            self._held = []

    def release(self, *first: str) -> None:
        held, self._held = self._held or [], None
        self._count(*first)
        if not self.is_finished:
            self._queue.extend((*first, *held))
            self._filled.set()

    def finish(self, goodbye: Goodbye, *last: str) -> None:
        """Take nothing more."""
        if not self.is_finished:
            self.is_finished = True
            self._queue.extend((*last, goodbye))
            self._filled.set()

    async def take(self) -> str | Goodbye:
        """What is to be sent next; waits until there is something."""
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        item = self._queue.popleft()
        if isinstance(item, str):
            self._messages -= 1
            self._characters -= len(item)
        return item

    def _count(self, *texts: str) -> None:
        self._messages += len(texts)
        self._characters += sum(map(len, texts))
        # One message alone is let through however long it is.
        too_long = self._characters > MOST_CHARACTERS and self._messages > len(texts)
        if not self.is_finished and (too_long or self._messages > MOST_MESSAGES):
            self.is_finished = True
            self._queue.clear()
            self._held = None
            self._on_overflow()
