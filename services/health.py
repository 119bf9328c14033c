"""Whether services answer: learned from free endpoints, and from real calls that went well."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from services import signals
from services.adapters.base import ProviderError
from services.adapters.call import Call
from services.config import ServiceConfig
from services.connections import adapter_for

CHECK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Health:
    """The outcome of the last check. `detail` says what is wrong, `models` what the server lists."""

    healthy: bool
    checked_at: datetime
    response_ms: float
    detail: str = ""
    models: frozenset[str] = frozenset()


_known: dict[str, Health] = {}


def of(service: str) -> Health | None:
    """What is known of a service; None before its first check."""
    return _known.get(service)


def check(config: ServiceConfig) -> Health:
    """Ask a service's free endpoint whether it is there and takes our key."""
    started = time.perf_counter()
    call = Call.within(min(CHECK_SECONDS, config.timeout_seconds))
    try:
        models = frozenset(adapter_for(config).check(call))
        healthy, detail = True, ""
    except ProviderError as error:
        healthy, detail, models = False, error.message, frozenset()
    elapsed = (time.perf_counter() - started) * 1000
    return _learn(config.name, Health(healthy, timezone.now(), round(elapsed, 1), detail, models))


def note_success(service: str) -> None:
    """A real call went well: that outweighs whatever the last check said."""
    known = _known.get(service)
    if known and not known.healthy:
        _learn(service, replace(known, healthy=True, detail="", checked_at=timezone.now()))


def forget(service: str) -> None:
    """Know nothing of a service, as at the start: it was changed, switched off or removed."""
    _known.pop(service, None)


def forget_all() -> None:
    _known.clear()


def _learn(service: str, health: Health) -> Health:
    before = _known.get(service)
    _known[service] = health
    if before is None or before.healthy != health.healthy:
        signals.health_changed.send_robust(sender=Health, service=service, health=health)
    return health
