"""Which calls are made again, and when."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass

from oxide_client.calls import Call
from oxide_client.errors import ConnectionFailedError, ConnectionLostError, OxideError, WrongAddressError

_FIRST_PAUSE = 0.5
_LONGEST_OWN_PAUSE = 8.0


@dataclass(frozen=True)
class Retries:
    """Only what may safely be repeated is: 429, 503, 529, and connections that were never made; reads also where the
    connection broke. A task that may have run is never sent again.

    `most` is how often a call is repeated; 0 switches it off. `longest_pause` is in seconds: where Oxide asks for a
    longer one (`Retry-After`), the error comes at once, and the same where the call's own time would run out.
    """

    most: int = 3
    longest_pause: float = 60.0

    def pause_after(self, error: OxideError, call: Call[object], failures: int, remaining: float) -> float | None:
        """Seconds until the next try; None where there is none."""
        if failures > self.most or isinstance(error, WrongAddressError) or not may_repeat(error, call):
            return None
        if error.retry_after is None:
            pause = backoff(failures, _FIRST_PAUSE, _LONGEST_OWN_PAUSE)
        elif error.retry_after > self.longest_pause:
            return None
        else:
            # Never earlier than asked; a little later, or all who were sent away came back at once.
            pause = error.retry_after + random.uniform(0, 0.1 + error.retry_after / 10)  # noqa: S311 - no secret
        return pause if pause < remaining else None


def backoff(failures: int, first: float, longest: float) -> float:
    """A pause that doubles each time, up to `longest` seconds, and is another one for each client."""
    return min(longest, first * math.pow(2, failures - 1)) * random.uniform(0.5, 1)  # noqa: S311 - no secret


def may_repeat(error: OxideError, call: Call[object]) -> bool:
    if isinstance(error, ConnectionFailedError):
        return True
    if error.status in (429, 529):
        return _was_refused(error)
    if isinstance(error, ConnectionLostError):
        return call.is_read
    return error.status == 503 and (not call.is_task or _never_ran(error))


def _never_ran(error: OxideError) -> bool:
    """Whether a 503 says that the task did not run, and that waiting helps.

    Some tell of a task that has run: one that was called off, or that could not be recorded because the database is
    away. Oxide names Retry-After where waiting helps; what has no code comes from a proxy that did not get through.
    """
    if not error.code:
        return True
    is_refusal = error.title in ("Service busy", "Service not available") and error.retry_after is not None
    return is_refusal and _was_refused(error)


def _was_refused(error: OxideError) -> bool:
    """Whether no provider did anything: it limits the rate of requests, or is overloaded."""
    return all(attempt.get("error_kind") in ("rate_limited", "overloaded") for attempt in error.attempts)


class Deadline:
    """The time that a call may take in all."""

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {seconds!r}.")
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @classmethod
    def of(cls, *seconds: float | None) -> Deadline:
        """The first that somebody has set."""
        return cls(next(each for each in seconds if each is not None))

    @property
    def remaining(self) -> float:
        """Seconds, never below a thousandth: HTTP libraries take 0 for no limit at all."""
        return max(0.001, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end
