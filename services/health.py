"""Whether services answer: learned from free endpoints, from real calls that went well, and from other processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from services import signals
from services.adapters.base import Adapter, ErrorKind, ProviderError
from services.adapters.call import Call, CancelToken
from services.config import ServiceConfig
from services.connections import adapter_for

CHECK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Health:
    """The outcome of the last check. `detail` says what is wrong, `models` what the server lists.

    `refused` tells of one that is there but does not take our key.
    """

    healthy: bool
    checked_at: datetime
    response_ms: float
    detail: str = ""
    models: frozenset[str] = frozenset()
    refused: bool = False


_lock = threading.Lock()
_known: dict[str, Health] = {}
# What this process found out by itself and has not told the others yet (services/shared_health.py).
_untold: dict[str, Health] = {}


def of(service: str) -> Health | None:
    """What is known of a service; None before its first check."""
    return _known.get(service)


def check(config: ServiceConfig, cancel: CancelToken | None = None) -> Health:
    """Ask a service's free endpoint whether it is there and takes our key."""
    found = ask(config, adapter_for(config), cancel)
    return found if cancel and cancel.cancelled else _learn(config.name, found)


def ask(config: ServiceConfig, adapter: Adapter, cancel: CancelToken | None = None) -> Health:
    """The same by way of any adapter, such as one with another key. Nothing is learned from it."""
    started = time.perf_counter()
    call = Call.within(min(CHECK_SECONDS, config.timeout_seconds), cancel)
    try:
        models = frozenset(adapter.check(call))
        healthy, detail, refused = True, "", False
    except ProviderError as error:
        healthy, detail, models = False, error.message, frozenset()
        refused = error.kind is ErrorKind.AUTH
    elapsed = (time.perf_counter() - started) * 1000
    return Health(healthy, timezone.now(), round(elapsed, 1), detail, models, refused)


def note_success(service: str) -> None:
    """A real call went well: that outweighs whatever the last check said."""
    known = _known.get(service)
    if known and not known.healthy:
        _learn(service, replace(known, healthy=True, detail="", refused=False, checked_at=timezone.now()))


def forget(service: str) -> None:
    """Know nothing of a service, as at the start: it was changed, switched off or removed."""
    with _lock:
        _known.pop(service, None)
        _untold.pop(service, None)


def forget_all() -> None:
    with _lock:
        _known.clear()
        _untold.clear()


def untold() -> Mapping[str, Health]:
    """What other processes are to be told, by service."""
    with _lock:
        return dict(_untold)


def note_told(news: Mapping[str, Health]) -> None:
    """They know it now, unless something newer was found out meanwhile."""
    with _lock:
        for service, health in news.items():
            if _untold.get(service) is health:
                del _untold[service]


def hear(service: str, health: Health | None) -> None:
    """What another process found out; None where it is to be forgotten. What is still untold here outweighs it."""
    with _lock:
        if service in _untold:
            return
        before = _known.pop(service, None)
        if health:
            _known[service] = health
    if health:
        _announce(service, before, health)


def _learn(service: str, health: Health) -> Health:
    with _lock:
        before = _known.get(service)
        _known[service] = _untold[service] = health
    _announce(service, before, health)
    return health


def _announce(service: str, before: Health | None, now: Health) -> None:
    if before is None or before.healthy != now.healthy:
        signals.health_changed.send_robust(sender=Health, service=service, health=now)
