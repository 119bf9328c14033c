"""What may have to wait, done aside from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections

Result = TypeVar("Result")

# Clients that come all at once, after a restart say, must not take the threads that do tasks.
_pool = ThreadPoolExecutor(2, thread_name_prefix="aside")


async def aside(work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_pool, _do, work)


def _do(work: Callable[[], Result]) -> Result:
    try:
        return work()
    finally:
        close_old_connections()
