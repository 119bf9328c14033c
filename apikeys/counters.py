"""The caches in which requests are counted: this process's memory, or Redis where several processes count together.

django-ratelimit's `get_usage` lets an error of the cache through to the caller. Here Redis being away is no error:
this process counts in its own memory until it answers again, and does not ask at each request whether it does.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

T = TypeVar("T")

_ANSWER_SECONDS = 0.2
_PAUSE_SECONDS = 2.0
_PROBE_SECONDS = 2.0
_RESP2 = 2  # all that counting needs; the other one begins with a greeting that old servers and proxies refuse
# What Redis answers about a value that is no number, whoever put it there.
# https://redis.io/docs/latest/commands/incrby/
_NO_NUMBER = ("WRONGTYPE", "value is not an integer", "increment or decrement would overflow")
# For a counter whose beginning was on the other side; no window is longer.
_LONGEST_WINDOW = 86_400 + 5
# Where memory is full, this part of it is freed at a time.
_ROOM = 3

# What redis-py raises, beside errors of its own, for a reply that makes no sense.
NONSENSE = (ValueError, TypeError, AttributeError, LookupError)


class AwayError(Exception):
    """Redis does not answer."""


class Link:
    """A process's way to Redis. After a failure it is left alone for a while; then one caller tries for all."""

    def __init__(self, url: str) -> None:
        self._pool = redis.ConnectionPool.from_url(
            url,
            protocol=_RESP2,
            socket_connect_timeout=_ANSWER_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),  # its own would take seconds
        )
        self._redis = redis.Redis(connection_pool=self._pool)
        self._lock = threading.Lock()
        self._away = False
        self._next_try = 0.0

    def ask(self, question: Callable[[redis.Redis], T]) -> T:
        """Raises `AwayError`."""
        if self._away and not self._is_our_turn():
            raise AwayError
        try:
            answer = question(self._redis)
        except (redis.RedisError, OSError, *NONSENSE) as error:
            self._lost(error)
            raise AwayError from None
        if self._away:
            self._found()
        return answer

    def _is_our_turn(self) -> bool:
        with self._lock:
            now = time.monotonic()
            ours = now >= self._next_try
            if ours:
                self._next_try = now + _PAUSE_SECONDS
            return ours

    def _lost(self, error: Exception) -> None:
        with self._lock:
            news, self._away = not self._away, True
            self._next_try = time.monotonic() + _PAUSE_SECONDS
        if news:
            # The error's own text may show the address, which holds a password.
            kind = type(error).__name__
            logger.warning("Redis does not answer (%s): until it does, each process counts requests by itself.", kind)
        self._pool.disconnect(inuse_connections=False)

    def _found(self) -> None:
        with self._lock:
            news, self._away = self._away, False
        if news:
            logger.warning("Redis answers again: requests are counted there.")


def answers(url: str) -> bool:
    """Whether Redis answers a PING, for readiness. Raises redis-py's errors where it cannot be reached.

    No value is read: what another server holds must never be unpickled.
    """
    patience: Any = {"socket_connect_timeout": _PROBE_SECONDS, "socket_timeout": _PROBE_SECONDS}
    with redis.Redis.from_url(url, protocol=_RESP2, retry=Retry(NoBackoff(), 0), **patience) as server:
        return bool(server.ping())


class _Counter:
    __slots__ = ("_numbers", "until", "value")

    def __init__(self, value: int, until: float) -> None:
        self.value = value
        self.until = until
        self._numbers = itertools.count(value + 1)

    def next(self) -> int:
        """No two threads get the same number, and none waits for another."""
        self.value = number = next(self._numbers)
        return number


class Counters(BaseCache):
    """Counts in this process's memory.

    Django's own cache there keeps each number pickled, looks at each character of a key, and has all threads wait for
    one lock: under load a sixth of all that a request takes.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._counters = _kept.setdefault(location, {})  # Django makes a cache object for each thread

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        if self._find(key):
            return False
        with _lock:
            is_new = self._find(key) is None
            if is_new:
                self._put(key, int(value), timeout)
        return is_new

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        counter = self._find(key)
        return counter.value if counter else default

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        with _lock:
            self._put(key, int(value), timeout)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Raises `ValueError` where nothing was added, as Django's caches do; counters only grow."""
        counter = self._find(key)
        if counter is None or delta < 1:
            raise ValueError(f"There is no counter {key!r} to be raised by {delta}.")
        return [counter.next() for _ in range(delta)][-1]

    def delete(self, key: str, version: int | None = None) -> bool:
        return self._counters.pop(key, None) is not None

    def clear(self) -> None:
        self._counters.clear()

    def _find(self, key: str) -> _Counter | None:
        counter = self._counters.get(key)
        return counter if counter and counter.until > time.monotonic() else None

    def _put(self, key: str, value: int, timeout: Any) -> None:
        if len(self._counters) >= self._max_entries:
            self._make_room()
        self._counters[key] = _Counter(value, time.monotonic() + self._seconds(timeout))

    def _make_room(self) -> None:
        """Forget what is over and, where that is little, what is over next."""
        by_end = sorted(self._counters.items(), key=lambda item: item[1].until)
        now, least = time.monotonic(), max(1, self._max_entries // _ROOM)
        for number, (key, counter) in enumerate(by_end):
            if number >= least and counter.until > now:
                break
            self._counters.pop(key, None)

    def _seconds(self, timeout: Any) -> int:
        return int(self.default_timeout or _LONGEST_WINDOW) if timeout is DEFAULT_TIMEOUT else int(timeout)


# By location: several caches of one name are one.
_kept: dict[str, dict[str, _Counter]] = {}
_lock = threading.Lock()


class SharedCounters(Counters):
    """Counts in Redis where that answers, and in this process's memory where it does not."""

    def __init__(self, url: str, params: dict[str, Any]) -> None:
        super().__init__(url, params)
        self._link = _link(url)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        name = self.make_and_validate_key(key, version=version)
        seconds = self._seconds(timeout)
        try:
            return bool(self._link.ask(lambda server: server.set(name, int(value), ex=seconds, nx=True)))
        except AwayError:
            return super().add(key, value, seconds, version)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        name = self.make_and_validate_key(key, version=version)
        try:
            found = self._link.ask(lambda server: _number(server, name))
        except AwayError:
            return super().get(key, default, version)
        return default if found is None else found

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Where the counter began on the side that is away, it begins anew on this one."""
        name = self.make_and_validate_key(key, version=version)
        try:
            return self._link.ask(lambda server: _increase(server, name, delta))
        except AwayError:
            super().add(key, 0, _LONGEST_WINDOW, version)
            return super().incr(key, delta, version)


def _number(server: redis.Redis, name: str) -> int | None:
    """A counter's value; None where there is none. A value that is no number is deleted: its counter begins anew."""
    try:
        found: Any = server.get(name)
        return None if found is None else int(found)
    except redis.ResponseError as error:
        _forget(server, name, error)
    except (ValueError, TypeError):
        _forget(server, name)
    return None


def _forget(server: redis.Redis, name: str, error: redis.ResponseError | None = None) -> None:
    if error and not str(error).startswith(_NO_NUMBER):
        raise error
    logger.warning("Redis held no number under %s: the counter begins anew. Who else writes to this Redis?", name)
    server.delete(name)


def _increase(server: redis.Redis, name: str, delta: int) -> int:
    try:
        count = int(server.incr(name, delta))
    except redis.ResponseError as error:
        _forget(server, name, error)
        count = int(server.incr(name, delta))
    if count == delta:
        server.expire(name, _LONGEST_WINDOW)
    return count


# One for the whole process: Django makes a cache object for each thread.
_links: dict[str, Link] = {}
_links_lock = threading.Lock()


def _link(url: str) -> Link:
    with _links_lock:
        if url not in _links:
            _links[url] = Link(url)
        return _links[url]
