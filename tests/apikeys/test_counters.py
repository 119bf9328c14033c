from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from apikeys import counters
from apikeys.counters import Counters, SharedCounters
from tests.servers import Redis
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def shared(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedCounters]:
    if not redis.answers():
        redis.start()
    counters._links.clear()
    monkeypatch.setattr(counters, "_PAUSE_SECONDS", 0.2)
    cache = SharedCounters(redis.url, {})
    cache.clear()
    yield cache
    counters._links.clear()


def count(cache: SharedCounters, key: str, number: int = 1) -> int:
    found = 0
    for _ in range(number):
        found = 1 if cache.add(key, 1, 60) else cache.incr(key)
    return found


def test_processes_count_together(shared: SharedCounters, redis: Redis) -> None:
    assert count(shared, "together", 3) == 3
    counters._links.clear()  # as another process would begin
    other = SharedCounters(redis.url, {})
    assert count(other, "together") == 4
    assert shared.get("together") == 4
    assert shared.get("nothing", 7) == 7


def test_nothing_is_lost_when_many_count_at_once(shared: SharedCounters) -> None:
    with ThreadPoolExecutor(30) as pool:
        found = list(pool.map(lambda _: count(shared, "many"), range(300)))
    assert sorted(found) == list(range(1, 301))


def test_a_counter_that_began_elsewhere_does_not_stay_forever(shared: SharedCounters, redis: Redis) -> None:
    import redis as library

    shared.incr("orphan")
    server = library.Redis.from_url(redis.url)
    assert 0 < server.ttl(shared.make_key("orphan")) <= 86_405


def heard(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "apikeys.counters"]


def test_while_redis_is_away_the_process_counts_alone_and_says_so_once(
    shared: SharedCounters, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    count(shared, "outage", 5)
    with caplog.at_level(logging.INFO, "apikeys.counters"):
        redis.stop()
        assert [count(shared, "outage") for _ in range(5)] == [1, 2, 3, 4, 5]
        assert [record.levelname for record in heard(caplog)] == ["WARNING"]
        assert "each process counts" in caplog.text
        redis.start()
        wait_until(lambda: count(shared, "probe") and "answers again" in caplog.text)
        assert len(heard(caplog)) == 2
    assert count(shared, "outage") == 1  # Redis itself began anew


def test_counting_goes_on_where_redis_goes_away_between_two_steps(shared: SharedCounters, redis: Redis) -> None:
    assert shared.add("between", 1, 60)
    redis.stop()
    assert shared.incr("between") == 1
    assert shared.incr("between") == 2
    assert shared.get("between") == 2


def test_a_redis_that_hangs_is_not_waited_for_again_and_again(
    shared: SharedCounters, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "_PAUSE_SECONDS", 600.0)
    commands_lost: list[Exception] = []
    note_lost = counters.Link._lost

    def lose(link: counters.Link, error: Exception) -> None:
        commands_lost.append(error)
        note_lost(link, error)

    monkeypatch.setattr(counters.Link, "_lost", lose)
    count(shared, "hang")
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    try:
        lost = len(commands_lost)
        count(shared, "hang")
        assert count(shared, "hang", 500) == 501
        assert len(commands_lost) == lost + 1
    finally:
        redis.process.send_signal(signal.SIGCONT)


def test_the_log_does_not_show_the_address(caplog: pytest.LogCaptureFixture) -> None:
    cache = SharedCounters("redis://:pa55word@127.0.0.1:1/0", {})
    assert count(cache, "hidden", 3) == 3
    assert "pa55word" not in caplog.text
    assert "ConnectionError" in caplog.text


# In memory


@pytest.fixture
def own() -> Iterator[Counters]:
    cache = Counters("of a test", {"OPTIONS": {"MAX_ENTRIES": 30}})
    yield cache
    cache.clear()


def test_threads_share_their_counters_and_lose_nothing(own: Counters) -> None:
    def call(_number: int) -> int:
        mine = Counters("of a test", {})  # Django makes one for each thread
        return 1 if mine.add("many", 1, 60) else mine.incr("many")

    with ThreadPoolExecutor(30) as pool:
        assert sorted(pool.map(call, range(3000))) == list(range(1, 3001))
    assert own.get("many") == 3000
    assert Counters("of another", {}).get("many") is None


def test_a_counter_ends_with_its_time(own: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own.add("short", 1, 60)
    assert not own.add("short", 1, 60)
    assert own.incr("short", 2) == 3
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert own.get("short", 7) == 7
    with pytest.raises(ValueError, match="no counter 'short'"):
        own.incr("short")
    assert own.add("short", 1, 60)


def test_where_there_is_no_room_the_counters_that_end_first_go_first(own: Counters) -> None:
    for number in range(100):
        own.add(f"long {number}" if number % 10 == 0 else f"short {number}", 1, 3600 if number % 10 == 0 else 60)
        assert len(own._counters) <= 30
    assert [own.get(f"long {number}") for number in range(0, 100, 10)] == [1] * 10
