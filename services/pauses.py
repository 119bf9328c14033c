"""What a service has asked not to be sent for a while: requests after a 429, and operations that it does not have.

Kept in memory by each process. It changes the order of candidates and never excludes one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

LONGEST_SECONDS = 3600.0
# Where a 429 comes without a time to wait: doubled with each one in a row.
FIRST_GUESS_SECONDS = 1.0
LONGEST_GUESS_SECONDS = 5.0
LACKING_SECONDS = 600.0

Key = tuple[str, str, str]
"""Service, model and operation; an empty model or operation stands for all of them."""


class Pauses:
    """Times by the clock until which a service should not be sent something."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._paused: dict[Key, float] = {}
        self._lacking: dict[Key, float] = {}
        self._rejections: dict[Key, int] = {}

    @property
    def is_empty(self) -> bool:
        """Nearly always so: nothing else needs to be looked up then."""
        return not (self._paused or self._lacking)

    def pause(self, service: str, model: str, seconds: float | None) -> float:
        """A 429 came, asking to wait for so many `seconds` if it named any. Returns the length of the pause."""
        key = (service, model, "")
        with self._lock:
            rejections = self._rejections[key] = self._rejections.get(key, 0) + 1
            if seconds is None:
                seconds = min(LONGEST_GUESS_SECONDS, FIRST_GUESS_SECONDS * 2.0 ** min(rejections - 1, 8))
            seconds = min(seconds, LONGEST_SECONDS)
            self._paused[key] = self._clock() + seconds
            return seconds

    def remaining(self, service: str, model: str) -> float:
        """Seconds until the model of the service should be called again; 0 where it may be now."""
        until = self._paused.get((service, model, ""))
        if until is None:
            return 0.0
        left = until - self._clock()
        if left <= 0:
            self._paused.pop((service, model, ""), None)
        return max(0.0, left)

    def note_lacking(self, service: str, model: str, operation: str) -> None:
        """The operation is not available; an empty `model` says so of all models of the service."""
        with self._lock:
            self._lacking[service, model, operation] = self._clock() + LACKING_SECONDS

    def lacks(self, service: str, model: str, operation: str) -> bool:
        """Whether the operation was refused as not available within the last minutes."""
        if not self._lacking:
            return False
        now = self._clock()
        return any(self._lacking.get((service, each, operation), now) > now for each in ("", model))

    def described(self, service: str) -> str:
        """What holds for a service at the moment, in words that follow its name; "" where nothing does."""
        with self._lock:
            now = self._clock()
            paused = [(key[1], until - now) for key, until in self._paused.items() if key[0] == service and until > now]
            lacking = [key for key, until in self._lacking.items() if key[0] == service and until > now]
        said = [f"limits the rate of requests{_for(model)} for {math.ceil(left)} s more" for model, left in paused]
        return "; ".join([*said, *(f"refused {operation}{_for(model)} lately" for _, model, operation in lacking)])

    def note_success(self, service: str, model: str, operation: str) -> None:
        """It was answered: whatever was known about this no longer holds."""
        if self.is_empty and not self._rejections:
            return
        with self._lock:
            self._paused.pop((service, model, ""), None)
            self._rejections.pop((service, model, ""), None)
            for each in ("", model):
                self._lacking.pop((service, each, operation), None)

    def forget(self, service: str) -> None:
        """The service was changed."""
        with self._lock:
            for known in (self._paused, self._lacking, self._rejections):
                for key in [key for key in known if key[0] == service]:
                    del known[key]

    def clear(self) -> None:
        with self._lock:
            for known in (self._paused, self._lacking, self._rejections):
                known.clear()


def _for(model: str) -> str:
    return f" to {model}" if model else ""


pauses = Pauses()
