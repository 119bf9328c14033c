"""Hands news from whoever has some, on any thread, to every client of `/ws`, on the event loop.

Publishing is cheap and never waits: where nobody listens it does nothing. News about one subject is
coalesced for a moment, serialised once for the process and put into each listener's own queue, so
that a slow reader delays nobody. With Redis, what happens to tasks is told to the other processes, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from monitoring.listener import Listener
from monitoring.news import Coalescing, News, Topic

if TYPE_CHECKING:
    from monitoring.relay import Relay

logger = logging.getLogger(__name__)

COALESCE_SECONDS = 0.05
# So many listeners are served before others get their turn on the event loop.
AT_ONCE = 200
# What each process learns by itself need not be told to it.
RELAYED = frozenset({Topic.TASKS, Topic.TEXT})


class Hub:
    """One for each process. `seq` is the number of the last event."""

    def __init__(self) -> None:
        self.seq = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._relay: Relay | None = None
        self._work: list[asyncio.Task[None]] = []
        self._news = Coalescing()
        self._listeners: set[Listener] = set()
        self._followed: Counter[str] = Counter()
        self._audience: Counter[Topic] = Counter()

    # From any thread

    @property
    def has_listeners(self) -> bool:
        """Whether anybody is connected to this process."""
        return bool(self._listeners)

    @property
    def is_open(self) -> bool:
        """Whether publishing has any effect: somebody is connected to this process, or may be to another."""
        return self._loop is not None and bool(self._listeners or self._relay)

    @property
    def is_heard(self) -> bool:
        """Whether somebody is known to be connected, to this process or another."""
        return self.has_listeners or bool(self._relay and self._relay.is_heard)

    def is_followed(self, task_id: str) -> bool:
        """Whether anybody wants to read along while a task is answered."""
        return task_id in self._followed or bool(self._relay and self._relay.is_followed(task_id))

    def is_wanted(self, topic: Topic, subject: str) -> bool:
        """Whether somebody hears of that, or may in another process."""
        return self._loop is not None and (self._is_heard_here(topic, subject) or self._relay is not None)

    def publish(self, topic: Topic, subject: str, event: Mapping[str, Any], caller: str | None = None) -> None:
        """Returns at once. `caller` is whose task it is about, if it is about one."""
        loop = self._loop
        if loop and self.is_wanted(topic, subject) and self._news.put(News(topic, subject, event, caller or "")):
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(self._wake)

    # On the event loop

    def begin(self, redis_url: str = "") -> None:
        """Work on the running event loop; does nothing where it does already."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        self._loop = loop
        self._listeners.clear()
        self._followed.clear()
        self._audience.clear()
        self._news.take()
        self._something = asyncio.Event()
        self._delivering = asyncio.Lock()
        self._work = [loop.create_task(self._pump())]
        if redis_url:
            from monitoring.relay import Relay  # noqa: PLC0415 - only who uses Redis pays for loading it

            self._relay = Relay(redis_url, self._deliver, self._refresh)
            self._work.append(loop.create_task(self._relay.run()))

    @property
    def size(self) -> int:
        return len(self._listeners)

    def end(self) -> None:
        if self._relay:
            self._relay.end()
        for task in self._work:
            task.cancel()
        self._loop = self._relay = None

    def join(self, listener: Listener) -> None:
        self._listeners.add(listener)
        self._followed.update(listener.tasks)
        self._audience.update(listener.topics)
        self._tell_wants()

    def leave(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
            self._followed -= Counter(listener.tasks)
            self._audience.subtract(listener.topics)
            self._tell_wants()

    def choose(self, listener: Listener, topics: Set[Topic]) -> None:
        """What a listener hears from now on."""
        self._audience.subtract(listener.topics)
        listener.topics = set(topics)
        self._audience.update(listener.topics)

    def follow(self, listener: Listener, task_id: str) -> None:
        if task_id not in listener.tasks:
            listener.tasks.add(task_id)
            self._followed[task_id] += 1
            self._tell_wants()

    def unfollow(self, listener: Listener, task_id: str) -> None:
        if task_id in listener.tasks:
            listener.tasks.remove(task_id)
            self._followed -= Counter([task_id])
            self._tell_wants()

    def _wake(self) -> None:
        self._something.set()

    async def _pump(self) -> None:
        while True:
            await self._something.wait()
            await asyncio.sleep(COALESCE_SECONDS)
            self._something.clear()
            news = self._news.take()
            try:
                await self._deliver(news)
                if self._relay:
                    self._relay.send([item for item in news if item.topic in RELAYED])
            except Exception:
                logger.exception("Events could not be told: clients of /ws are sent the whole again.")
                self._refresh()

    async def _deliver(self, news: Iterable[News]) -> None:
        async with self._delivering:  # each listener hears everything in the order of `seq`
            lines = [(item, self._line(item)) for item in news if self._is_heard_here(item.topic, item.subject)]
            for number, listener in enumerate(tuple(self._listeners) if lines else (), 1):
                for item, text in lines:
                    if listener.hears(item):
                        listener.tell(text)
                if not number % AT_ONCE:
                    await asyncio.sleep(0)

    def _is_heard_here(self, topic: Topic, subject: str) -> bool:
        return self._audience[topic] > 0 or subject in self._followed

    def _line(self, news: News) -> str:
        self.seq += 1
        return orjson.dumps({**news.event, "seq": self.seq}, default=str).decode()

    def _refresh(self) -> None:
        for listener in tuple(self._listeners):
            listener.on_gap()

    def _tell_wants(self) -> None:
        if self._relay:
            self._relay.want(listening=bool(self._listeners), tasks=self._followed)


hub = Hub()
