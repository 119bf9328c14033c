"""A circuit breaker per service: one that keeps failing is called rarely for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half_open"]

# How long to wait while a trial is under way: it may end at any moment.
_TRIAL_RETRY_SECONDS = 1.0
# Between two calls to an open service that has no alternative.
_LAST_RESORT_SECONDS = 1.0


class Breaker:
    """Closed, it lets every call through; `threshold` failures in a row open it.

    Open, it refuses calls for `open_seconds`. Then it is half open and admits one call as a trial:
    its success closes the breaker, its failure opens it again for twice as long, up to
    `longest_seconds`.

    A call that has no alternative, the last resort, is admitted while it is open too: one at a time,
    and one a second. Its success closes the breaker; its failure changes nothing.

    Whoever is admitted reports exactly once how it went: `record_success`, `record_failure`, or
    `release` when the outcome says nothing about the service (cancelled, the caller's mistake). A
    trial that is never reported loses its place after the open period, so that a caller that died
    cannot keep the breaker shut.

    Outcomes are not tied to calls. A call that began before the breaker opened may report late:
    its success closes the breaker, being the latest news, and its failure counts only while a
    trial is under way, because what began long ago must not prolong the pause.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        threshold: int = 5,
        open_seconds: float = 30.0,
        longest_seconds: float = 300.0,
    ) -> None:
        self._clock = clock
        self._threshold = threshold
        self._open_seconds = open_seconds
        self._longest_seconds = longest_seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = open_seconds
        self._open_until: float | None = None
        self._trial_until: float | None = None
        self._is_last_resort = False
        self._last_resort_from = 0.0

    def admit(self, *, last_resort: bool = False) -> float | None:
        """None when the call may go ahead, else the seconds to wait before asking again.

        In the half-open state being admitted means taking the one trial. `last_resort` asks for one while it is
        open, for a call that has no alternative.
        """
        with self._lock:
            now = self._clock()
            is_open = self._open_until is not None and now < self._open_until
            wait = self._wait_of_last_resort(now) if is_open and last_resort else self._wait()
            if wait > 0:
                return wait
            if self._open_until is not None:
                self._trial_until = now + self._pause
                self._is_last_resort = is_open
                self._last_resort_from = now + _LAST_RESORT_SECONDS
            return None

    def record_success(self) -> None:
        with self._lock:
            self._close()

    def close(self) -> None:
        """Somebody knows that the service is well again: let every call through at once."""
        with self._lock:
            self._close()

    def record_failure(self) -> None:
        with self._lock:
            if self._open_until is None:
                self._failures += 1
                if self._failures >= self._threshold:
                    self._open()
            elif self._is_last_resort:
                self._end_trial()
            elif self._trial_until is not None:
                self._pause = min(self._pause * 2, self._longest_seconds)
                self._open()

    def release(self) -> None:
        """Give the place back without an outcome: the next call may be the trial."""
        with self._lock:
            self._end_trial()

    @property
    def state(self) -> State:
        with self._lock:
            if self._open_until is None:
                return "closed"
            return "open" if self._clock() < self._open_until else "half_open"

    @property
    def retry_after(self) -> float:
        """Seconds until a call may be admitted; 0 where one would be now."""
        with self._lock:
            return self._wait()

    def blocked(self) -> bool:
        """Whether a call would be refused now. Asking takes no trial, so routing may ask freely."""
        return self.retry_after > 0

    def _close(self) -> None:
        self._failures = 0
        self._pause = self._open_seconds
        self._open_until = None
        self._end_trial()

    def _open(self) -> None:
        self._open_until = self._clock() + self._pause
        self._end_trial()

    def _end_trial(self) -> None:
        self._trial_until = None
        self._is_last_resort = False

    def _wait_of_last_resort(self, now: float) -> float:
        if self._trial_until is not None and now < self._trial_until:
            return min(_TRIAL_RETRY_SECONDS, self._trial_until - now)
        return max(0.0, self._last_resort_from - now)

    def _wait(self) -> float:
        if self._open_until is None:
            return 0.0
        now = self._clock()
        if now < self._open_until:
            return self._open_until - now
        if self._trial_until is not None and now < self._trial_until:
            return min(_TRIAL_RETRY_SECONDS, self._trial_until - now)
        return 0.0


class Breakers(dict[str, Breaker]):
    """The breaker of every service by its name, made on first use. `clear` forgets them all."""

    def __missing__(self, service: str) -> Breaker:
        # `setdefault` is one step: of two threads that miss together both get the same breaker.
        return self.setdefault(service, Breaker())


breakers = Breakers()
