"""How many provider calls may be under way at once, so that one slow service cannot take every thread."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class BusyError(Exception):
    """No room for another call. `retry_after` is in seconds."""

    def __init__(self, service: str, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.service = service
        self.retry_after = retry_after


class Bulkhead:
    """At most `total` calls in flight, and for each service at most what its configuration says.

    It never waits: a queue in front of a slow service would only hide how long it takes.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._lock = threading.Lock()
        self._in_flight: Counter[str] = Counter()
        self._in_flight_total = 0
        self._last_end: dict[str, float] = {}

    @contextmanager
    def enter(self, service: str, limit: int) -> Iterator[None]:
        """Hold one place while the block lasts; `BusyError` at once where there is none.

        `limit` may change from call to call, as configuration does. Where it shrinks, calls under
        way go on and new ones are refused until enough of them have ended.
        """
        self._take(service, limit)
        try:
            yield
        finally:
            self._give_back(service)

    def in_flight(self, service: str) -> int:
        with self._lock:
            return self._in_flight[service]

    def was_busy_since(self, service: str, moment: float) -> bool:
        """Whether a call is in flight, or was at any time since `moment` on the monotonic clock."""
        with self._lock:
            return self._in_flight[service] > 0 or self._last_end.get(service, -math.inf) >= moment

    @property
    def in_flight_total(self) -> int:
        return self._in_flight_total

    def _take(self, service: str, limit: int) -> None:
        with self._lock:
            if self._in_flight[service] >= limit:
                raise BusyError(
                    service,
                    f"{service} already has {limit} calls in flight, its max_concurrency. "
                    "Try again in a moment, or raise that setting.",
                )
            if self._in_flight_total >= self.total:
                raise BusyError(
                    service,
                    f"All {self.total} places for provider calls are taken. "
                    "Try again in a moment, or raise OXIDE_THREADS.",
                )
            self._in_flight[service] += 1
            self._in_flight_total += 1

    def _give_back(self, service: str) -> None:
        with self._lock:
            self._in_flight_total -= 1
            self._in_flight[service] -= 1
            self._last_end[service] = time.monotonic()
            if not self._in_flight[service]:
                del self._in_flight[service]
