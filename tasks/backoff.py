"""How long to wait before asking the same service again."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from services.adapters.base import ProviderError

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 8.0
# Whoever waits for a pause to end keeps its thread.
_places = threading.BoundedSemaphore(max(1, settings.THREADS // 8))


def delay_before_retry(error: ProviderError, failures: int, remaining: float) -> float | None:
    """Seconds to wait after that many `failures` in a row, or None where waiting makes no sense.

    What the provider asked for is obeyed; otherwise the wait doubles each time, with full jitter, so
    that callers who failed together do not come back together. It makes no sense to wait longer
    than the time that remains, or so long that another service is the better choice.
    """
    if error.permanent:
        return None
    if error.retry_after is not None:
        delay = error.retry_after
    else:
        delay = random.uniform(0.5, 1.0) * FIRST_SECONDS * 2 ** (failures - 1)  # noqa: S311 - no secret
    return delay if delay <= LONGEST_SECONDS and delay < remaining else None


@contextmanager
def waiting(seconds: float, remaining: float, *, is_patient: bool) -> Iterator[bool]:
    """A place to wait for so long, while the block lasts. Yields whether it is worth it.

    `remaining` are the seconds left for the task. A patient task, whose caller does not hold the line, waits as long
    as it has; others wait a short time only, and not all at once.
    """
    if seconds >= remaining or (seconds > LONGEST_SECONDS and not is_patient):
        yield False
    elif is_patient:
        yield True
    else:
        has_place = _places.acquire(blocking=False)
        try:
            yield has_place
        finally:
            if has_place:
                _places.release()
