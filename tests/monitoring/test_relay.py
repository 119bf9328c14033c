"""Two processes' hubs, on one event loop, and a real Redis between them."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from apikeys.identity import ANYBODY, Identity, Scope
from monitoring import relay
from monitoring.hub import Hub
from monitoring.listener import Listener
from monitoring.news import Topic
from tests.servers import Redis

TASK = "01a2060f-e649-74fb-aca1-e65a7bc908e4"
OTHER_TASK = "01a2060f-e649-74fb-aca1-e65a7bc908e5"
SECONDS = 20

pytestmark = pytest.mark.xdist_group("redis")


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with Redis() as redis:
        yield redis


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"BEAT_SECONDS": 0.2, "SILENCE_SECONDS": 2.0, "RETRY_SECONDS": 0.1}.items():
        monkeypatch.setattr(relay, name, seconds)


class Client(Listener):
    """A listener that counts its gaps."""

    def __init__(self) -> None:
        super().__init__(on_overflow=lambda: None, on_gap=self.note)
        self.gaps = 0
        self.identity = ANYBODY

    def note(self) -> None:
        self.gaps += 1

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS):
            heard: dict[str, Any] = json.loads(str(await self.take()))
            return heard

    async def is_silent(self) -> bool:
        await asyncio.sleep(0.3)
        return not self._queue


@asynccontextmanager
async def hubs(server: Redis, urls: tuple[str, str] | None = None) -> AsyncIterator[tuple[Hub, Hub]]:
    here, there = Hub(), Hub()
    for hub, url in zip((here, there), urls or (server.url, server.url), strict=True):
        hub.begin(url)
    try:
        yield here, there
    finally:
        for hub in (here, there):
            hub.end()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - what others do to it, on their own time
            await asyncio.sleep(0.02)


async def met(here: Hub, there: Hub) -> Client:
    """A client of `here` that the hub of `there` knows of."""
    client = Client()
    here.join(client)
    await until(lambda: there.is_heard)
    return client


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_what_happens_to_tasks_elsewhere_is_heard_once_and_nothing_else_is(server: Redis) -> None:
    async def story() -> None:
        async with hubs(server) as (here, there):
            client = await met(here, there)
            there.publish(Topic.METRICS, "", {"type": "metrics"})
            there.publish(Topic.SERVICES, "echo", {"type": "service_status"})
            there.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 0})
            there.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 100})
            assert await client.hear() == {"type": "task_progress", "progress": 100, "seq": 1}
            here.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 7})
            assert await client.hear() == {"type": "task_progress", "progress": 7, "seq": 2}
            assert await client.is_silent()

    run(story)


def test_text_crosses_only_where_somebody_follows_the_task(server: Redis) -> None:
    async def story() -> None:
        async with hubs(server) as (here, there):
            client = await met(here, there)
            assert not there.is_followed(TASK)
            here.follow(client, TASK)
            await until(lambda: there.is_followed(TASK))
            for word, offset in (("Quan", 0), ("tum", 4)):
                there.publish(Topic.TEXT, TASK, {"type": "task_delta", "text": word, "offset": offset})
            assert (await client.hear())["text"] == "Quantum"
            here.unfollow(client, TASK)
            await until(lambda: not there.is_followed(TASK))
            here.leave(client)
            await until(lambda: not there.is_heard)

    run(story)


def test_whose_task_it_is_crosses_with_it(server: Redis) -> None:
    async def story() -> None:
        from redis.asyncio import Redis as Connection

        async with hubs(server) as (here, there), Connection.from_url(server.url) as earlier_version:
            client = await met(here, there)
            client.identity = Identity("program", "key", frozenset({Scope.EXECUTE}), caller="key:1")
            here.follow(client, TASK)
            await until(lambda: there.is_followed(TASK))
            for caller in ("key:2", None):
                there.publish(Topic.TASKS, OTHER_TASK, {"type": "task_progress", "progress": 1}, caller)
            said = {"from": "x", "news": [["tasks", TASK, {"type": "task_progress", "progress": 2}]]}
            await earlier_version.publish("oxide:0:news", json.dumps(said))
            assert await client.is_silent()
            there.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 3}, "key:1")
            assert (await client.hear())["progress"] == 3
            for word, offset in (("Quan", 0), ("tum", 4)):
                there.publish(Topic.TEXT, TASK, {"type": "task_delta", "text": word, "offset": offset}, "key:1")
            assert (await client.hear())["text"] == "Quantum"

    run(story)


def test_a_process_that_vanished_is_no_longer_thought_to_listen(server: Redis) -> None:
    async def story() -> None:
        async with hubs(server) as (here, there):
            await met(here, there)
            here.end()
            await until(lambda: not there.is_heard)

    run(story)


def test_a_relay_ends_at_once_whatever_it_was_at(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BEAT_SECONDS", 0.0005)  # it is always sending

    async def story() -> None:
        for number in range(25):
            ending = [asyncio.create_task(begun_and_ended(server, number / 5_000)) for _ in range(8)]
            assert all(await asyncio.gather(*ending))

    run(story)


async def begun_and_ended(server: Redis, seconds: float) -> bool:
    begun = relay.Relay(server.url, no_news, lambda: None)
    running = asyncio.create_task(begun.run())
    await asyncio.sleep(0.02 + seconds)
    begun.end()
    running.cancel()
    ended, _ = await asyncio.wait([running], timeout=SECONDS)
    return bool(ended)


async def no_news(news: object) -> None:
    """Nobody listens."""


def test_databases_of_one_redis_are_kept_apart(server: Redis) -> None:
    async def story() -> None:
        async with hubs(server, (server.url, server.url.removesuffix("/0") + "/1")) as (here, there):
            client = Client()
            here.join(client)
            there.publish(Topic.TASKS, TASK, {"type": "task_progress"})
            assert await client.is_silent()
            assert not there.is_heard

    run(story)


@pytest.mark.parametrize("how", ["stopped", "hanging"])
def test_redis_may_come_and_go(server: Redis, how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "monitoring.relay")

    def take_away() -> None:
        if how == "stopped":
            server.stop()
        else:
            assert server.process
            server.process.send_signal(signal.SIGSTOP)

    def bring_back() -> None:
        if how == "stopped":
            server.start()
        else:
            assert server.process
            server.process.send_signal(signal.SIGCONT)

    def logged(what: str) -> int:
        return sum(what in record.message for record in caplog.records)

    async def story() -> None:
        async with hubs(server) as (here, there):
            client = await met(here, there)
            take_away()
            try:
                await until(lambda: logged("Redis is away") == 2)
                here.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 1})
                assert (await client.hear())["progress"] == 1
                there.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 2})
                assert await client.is_silent()
            finally:
                bring_back()
            await until(lambda: logged("Redis is back") == 2)
            assert client.gaps >= 1  # it is sent the whole again, for what it may have missed
            await until(lambda: there.is_heard)
            there.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 3})
            assert (await client.hear())["progress"] == 3
        assert (logged("Redis is away"), logged("Redis is back")) == (2, 2)

    run(story)


def test_a_message_that_makes_no_sense_is_no_end(server: Redis, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        from redis.asyncio import Redis as Connection

        async with hubs(server) as (here, there), Connection.from_url(server.url) as other:
            client = await met(here, there)
            for nonsense in (
                b"\xff",
                b"[]",
                b"{}",
                b'{"from": "x", "news": [["no such topic", "", {}]]}',
                b'{"from": "x", "news": [["tasks", "x", {}]], "callers": []}',
            ):
                await other.publish("oxide:0:news", nonsense)
                await other.publish("oxide:0:wants", nonsense)
            there.publish(Topic.TASKS, TASK, {"type": "task_progress", "progress": 3})
            assert (await client.hear())["progress"] == 3
        assert sum("does not understand" in record.message for record in caplog.records) == 2  # once by each

    run(story)
