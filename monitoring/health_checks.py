"""Asks services how they are: each about every thirty seconds, and a new one at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.utils import timezone

from apikeys import keyring
from services import directory, health
from services.adapters.call import CancelToken
from services.config import ServiceConfig

EVERY = timedelta(seconds=30)
AT_ONCE = 8

# Not all services of all processes at the same moment.
_jitter = random.uniform(0.9, 1.1)  # noqa: S311 - no secret


_stopping = CancelToken()


def stop() -> None:
    """Call the checks off that are under way: a server that says nothing must not hold up the end."""
    _stopping.cancel()


def check_due() -> None:
    """Check the services whose turn it is; forget those that cannot be called anyway."""
    due = [config for config in directory.current().values() if _is_due(config)]
    if due:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="health") as pool:
            list(pool.map(lambda config: health.check(config, _stopping), due))


def _is_due(config: ServiceConfig) -> bool:
    if not config.enabled or (config.needs_key and not keyring.secret_for(config.name, config.api_key_env)):
        health.forget(config.name)
        return False
    known = health.of(config.name)
    return known is None or timezone.now() - known.checked_at >= EVERY * _jitter
