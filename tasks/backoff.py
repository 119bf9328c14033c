"""How long to wait before asking the same service again."""

from __future__ import annotations

import random

from services.adapters.base import ProviderError

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 8.0


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
