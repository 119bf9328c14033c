"""Checks services: each as often as its settings say, and a new one at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from django.utils import timezone

from services import directory, health, keys, shared_health
from services.adapters.call import CancelToken
from services.config import ServiceConfig

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
    _forget_outdated()
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
    if not config.health.enabled:
        return False
    known = health.of(config.name)
    if known is None or known.checked_at is None or config.name not in _asked:
        return True
    # Another process may have checked last, on a host whose clock is ahead of ours.
    return abs(timezone.now() - known.checked_at) >= health.interval_of(config) * _jitter


def _forget_outdated() -> None:
    """A service that nobody checks and that failed is called last: only so does it get another chance."""
    for config in directory.current().values():
        known = None if config.health.enabled else health.of(config.name)
        if known and known.healthy is False and health.is_outdated(known):
            health.forget(config.name)
