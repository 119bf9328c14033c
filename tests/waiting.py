from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 90) -> None:
    """Return as soon as the condition holds, and fail the test where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"It did not come true within {seconds:g} seconds.")
        time.sleep(0.02)
