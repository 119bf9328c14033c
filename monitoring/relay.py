"""Tells the other processes what happens to tasks here, and hears it from them, over Redis.

Nothing waits for it. While Redis is away each process tells its own clients what it does itself;
once it is back, they get the whole again.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from monitoring.news import News, Topic

logger = logging.getLogger(__name__)

# Each process says so often what its clients want to hear. It hears that itself, too, and so notices when Redis, or
# the way there, is dead without a word.
BEAT_SECONDS = 2.0
SILENCE_SECONDS = 8.0
RETRY_SECONDS = 1.0
MOST_BATCHES = 1_000
_AWAY = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Wants:
    """What the clients of another process want to hear, until it must have said so again."""

    until: float
    listening: bool
    tasks: frozenset[str]


class Relay:
    """`deliver` gets what happened elsewhere; `on_gap` is called where some of that may have been lost."""

    def __init__(
        self, url: str, deliver: Callable[[Iterable[News]], Awaitable[None]], on_gap: Callable[[], None]
    ) -> None:
        self._url = url
        # Redis keeps channels apart neither by database nor by user.
        # https://redis.io/docs/latest/develop/pubsub/#database--scoping
        prefix = f"oxide:{urlsplit(url).path.strip('/') or '0'}"
        self._news_channel, self._wants_channel = f"{prefix}:news", f"{prefix}:wants"
        self._deliver = deliver
        self._on_gap = on_gap
        self._me = uuid.uuid4().hex
        self._listening = False
        self._tasks: list[str] = []
        self._elsewhere: dict[str, _Wants] = {}
        self._outgoing: deque[bytes] = deque(maxlen=MOST_BATCHES)
        self._wants_changed = True
        self._filled = asyncio.Event()
        self._is_away = self._is_over = False
        self._has_complained = False

    # From any thread

    @property
    def is_heard(self) -> bool:
        return any(wants.listening for wants in self._current())

    def is_followed(self, task_id: str) -> bool:
        return any(task_id in wants.tasks for wants in self._current())

    # On the event loop

    def want(self, *, listening: bool, tasks: Collection[str]) -> None:
        """What this process's clients want to hear from now on."""
        self._listening, self._tasks = listening, list(tasks)
        self._wants_changed = True
        self._filled.set()

    def send(self, news: Collection[News]) -> None:
        if news and not self._is_away:
            batch = [(item.topic, item.subject, item.event) for item in news]
            # Beside the news, so that a process of an earlier version goes on understanding these.
            callers = {item.subject: item.caller for item in news if item.caller}
            said = {"from": self._me, "news": batch, "callers": callers}
            self._outgoing.append(orjson.dumps(said, default=str))
            self._filled.set()

    def end(self) -> None:
        """To be said before `run` is cancelled, which may come to it as a broken connection alone."""
        self._is_over = True

    async def run(self) -> None:
        while not self._is_over:
            try:
                await self._talk()
            except* _AWAY as errors:
                self._note_away(errors.exceptions[0])
            except* Exception:
                logger.exception("Telling other processes of tasks has failed. It begins anew.")
            await asyncio.sleep(RETRY_SECONDS)

    async def _talk(self) -> None:
        client = Redis.from_url(
            self._url, socket_connect_timeout=2, socket_timeout=5, retry=Retry(NoBackoff(), 0), decode_responses=False
        )
        async with client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._news_channel, self._wants_channel)
            self._note_back()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(pubsub))
                group.create_task(self._tell(client))

    def _goes_on(self) -> bool:
        """False once the running job was told to end, which it may not have felt.

        Up to Python 3.11 `asyncio.wait_for`, which redis-py sends with, drops a cancelling that comes as it is done.
        https://github.com/python/cpython/issues/86296
        """
        job = asyncio.current_task()
        return not self._is_over and not (job and job.cancelling())

    async def _hear(self, pubsub: PubSub) -> None:
        while self._goes_on():
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await pubsub.get_message(timeout=None)
            if message is not None:
                try:
                    await self._take(message["channel"].decode(), message["data"])
                except (AttributeError, LookupError, TypeError, ValueError) as error:
                    self._note_nonsense(error)

    async def _take(self, channel: str, data: bytes) -> None:
        if channel == self._news_channel and not self._listening:
            return
        said: Any = orjson.loads(data)
        if said["from"] == self._me:
            return
        if channel == self._wants_channel:
            until = time.monotonic() + 3 * BEAT_SECONDS
            self._elsewhere[said["from"]] = _Wants(until, said["listening"], frozenset(said["tasks"]))
            self._forget_gone()
        else:
            callers, news = said.get("callers", {}), said["news"]
            await self._deliver(
                [News(Topic(topic), about, event, callers.get(about, "")) for topic, about, event in news]
            )

    async def _tell(self, client: Redis) -> None:
        next_beat = 0.0
        while self._goes_on():
            await self._wait(next_beat - time.monotonic())
            if self._wants_changed or time.monotonic() >= next_beat:
                self._wants_changed = False
                next_beat = time.monotonic() + BEAT_SECONDS
                wants = {"from": self._me, "listening": self._listening, "tasks": self._tasks}
                await client.publish(self._wants_channel, orjson.dumps(wants))
            while self._outgoing:
                await client.publish(self._news_channel, self._outgoing[0])
                self._outgoing.popleft()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._filled.wait()
        except TimeoutError:
            return
        self._filled.clear()

    def _current(self) -> list[_Wants]:
        now = time.monotonic()
        return [wants for wants in tuple(self._elsewhere.values()) if wants.until > now]

    def _forget_gone(self) -> None:
        now = time.monotonic()
        self._elsewhere = {process: wants for process, wants in self._elsewhere.items() if wants.until > now}

    def _note_away(self, error: BaseException) -> None:
        if not self._is_away:
            logger.warning("Redis is away; until it is back, /ws tells of this process's tasks alone: %s", error)
        self._is_away = True
        self._outgoing.clear()

    def _note_nonsense(self, error: Exception) -> None:
        if not self._has_complained:
            logger.warning(
                "Another process tells what this one does not understand; are their versions alike? %r", error
            )
        self._has_complained = True

    def _note_back(self) -> None:
        if self._is_away:
            logger.warning("Redis is back: /ws tells of every process's tasks again.")
            self._is_away = False
            self._on_gap()
