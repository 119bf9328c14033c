"""Asks services how they are: each about every thirty seconds, and a new one at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from services import directory, health, keys, shared_health
from services.adapters.call import CancelToken
from services.config import ServiceConfig

EVERY = timedelta(seconds=settings.HEALTH_SECONDS)
AT_ONCE = 8

# Not all Oxides at the same moment.
_jitter = random.uniform(0.9, 1.1)  # noqa: S311 - no secret

# Who was asked since it is for this process to check. What others found out before may have been by another key.
_asked: set[str] = set()

_stopping = CancelToken()


def stop() -> None:
    """Call the checks off that are under way: a server that says nothing must not hold up the end."""
    _stopping.cancel()


def check_due() -> None:
    """Check the services whose turn it is, where no other process does; forget those that cannot be called anyway."""
    if not shared_health.is_ours_to_check():
        _asked.clear()
        return
    due = [config for config in directory.current().values() if _is_due(config)]
    if due:
        _asked.update(config.name for config in due)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="health") as pool:
            list(pool.map(lambda config: health.check(config, _stopping), due))


def _is_due(config: ServiceConfig) -> bool:
    if not config.enabled or keys.is_missing(config):
        health.forget(config.name)
        return False
    known = health.of(config.name)
    # Another process may have checked last, on a host whose clock is ahead of ours.
    is_old = known is None or abs(timezone.now() - known.checked_at) >= EVERY * _jitter
    return is_old or config.name not in _asked
