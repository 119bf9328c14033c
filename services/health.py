"""How services are: learned from checks of free endpoints, from real calls, and from other processes.

It decides in which order services are called, never whether they are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.utils import timezone

from services import signals
from services.adapters.base import Adapter, ErrorKind, ProviderError
from services.adapters.call import Call, CancelToken
from services.adapters.failure import rejects_key
from services.config import ServiceConfig
from services.connections import adapter_for
from services.places import bulkhead

CHECK_SECONDS = 10.0
RECENT = timedelta(seconds=max(300, 3 * settings.HEALTH_SECONDS))
"""For so long the outcome of a real call outranks that of a check."""
_RENEWED_AFTER = timedelta(minutes=1)
"""So often at most the others are told that calls go well."""
_BUSY_SECONDS = 5.0
"""So long after a call a server that does one thing at a time may still be tidying up."""
_STEADY_SECONDS = 10.0
"""So long after a success one failure to connect is taken for an accident."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a service. `healthy` is None where nothing is known for sure, such as after one check that timed
    out.

    `checked_at` and `response_ms` are those of the last check, None where there was none. `detail` says what is wrong.
    `models` is what the server last listed, and `list_problem` why the last check could not read that list or was
    outranked by real calls. `refused` tells of a server that is there but rejects our key. `timed_out` tells that the
    last check got no answer in time.
    `succeeded_at` is about when a real call last went well, `failed_at` when one showed what `detail` says; each is
    None where the other was later.
    """

    healthy: bool | None
    checked_at: datetime | None
    response_ms: float | None
    detail: str = ""
    models: frozenset[str] = frozenset()
    refused: bool = False
    list_problem: str = ""
    timed_out: bool = False
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", _interned(self.models))


@lru_cache(maxsize=512)
def _interned(models: frozenset[str]) -> frozenset[str]:
    """One object for equal lists, which every check makes anew: a cache then finds it by its identity."""
    return models


NOTHING = Health(healthy=None, checked_at=None, response_ms=None)

_lock = threading.Lock()
_known: dict[str, Health] = {}
# What this process found out by itself and has not told the others yet (services/shared_health.py).
_untold: dict[str, Health] = {}
# When a call of this process last went well, on the monotonic clock.
_last_success: dict[str, float] = {}


def of(service: str) -> Health | None:
    """What is known of a service; None before its first check or call."""
    return _known.get(service)


def check(config: ServiceConfig, cancel: CancelToken | None = None) -> Health:
    """Check a service, and return what this one check found; what becomes known depends on real calls, too."""
    started = time.monotonic()
    found = ask(config, adapter_for(config), cancel)
    if not (cancel and cancel.cancelled):
        was_busy = bulkhead.was_busy_since(config.name, started - _BUSY_SECONDS)
        _revise(config.name, lambda before: weighed(before, found, was_busy=was_busy))
    return found


def ask(config: ServiceConfig, adapter: Adapter, cancel: CancelToken | None = None) -> Health:
    """The same by way of any adapter, such as one with another key. Nothing is learned from it."""
    started = time.perf_counter()
    call = Call.within(min(CHECK_SECONDS, config.timeout_seconds), cancel)
    try:
        seen = adapter.check(call, config.health.probe)
        found = replace(NOTHING, healthy=True, models=frozenset(seen.models), list_problem=seen.list_problem)
    except ProviderError as error:
        refused, timed_out = rejects_key(error), error.kind is ErrorKind.TIMEOUT
        found = replace(NOTHING, healthy=False, detail=error.message, refused=refused, timed_out=timed_out)
    elapsed = (time.perf_counter() - started) * 1000
    return replace(found, checked_at=timezone.now(), response_ms=round(elapsed, 1))


def weighed(before: Health | None, found: Health, *, was_busy: bool) -> Health:
    """What is known after a check that found `found`. `was_busy` tells that a call was in flight meanwhile.

    A list of models that was read once stays until another one is read.
    """
    before = before or NOTHING
    found = replace(found, models=found.models or before.models, succeeded_at=before.succeeded_at)
    if found.healthy:
        # Some servers list their models to everybody.
        if before.refused and _is_recent(before.failed_at):
            return replace(found, healthy=False, refused=True, detail=before.detail, failed_at=before.failed_at)
        return found
    does_not_count = found.timed_out and (was_busy or not before.timed_out)
    if not (_is_recent(before.succeeded_at) or does_not_count):
        return found
    return replace(
        before,
        checked_at=found.checked_at,
        response_ms=found.response_ms,
        list_problem=found.detail,
        timed_out=before.timed_out if was_busy else found.timed_out,
    )


def note_success(service: str) -> None:
    """A real call went well: that outranks what checks say, for a while."""
    _last_success[service] = time.monotonic()
    known, now = _known.get(service), timezone.now()
    is_told = known and known.healthy and known.succeeded_at and now - known.succeeded_at < _RENEWED_AFTER
    if not is_told:
        _revise(service, lambda before: _well(before or NOTHING, now))


def _well(before: Health, now: datetime) -> Health:
    return replace(before, healthy=True, detail="", refused=False, timed_out=False, succeeded_at=now, failed_at=None)


def note_failure(service: str, error: ProviderError) -> None:
    """A real call failed. No connection, or a rejected key, shows that the next call fails, too; all else does not."""
    refused = rejects_key(error)
    # What had arrived of an answer (`partial`) came over a connection.
    is_away = error.kind is ErrorKind.CONNECT and error.partial is None
    if is_away and time.monotonic() - _last_success.get(service, -_STEADY_SECONDS) < _STEADY_SECONDS:
        return
    known, now = _known.get(service), timezone.now()
    is_told = known and known.healthy is False and known.refused == refused and _is_recent(known.failed_at)
    if (refused or is_away) and not is_told:
        _revise(
            service,
            lambda before: replace(
                before or NOTHING,
                healthy=False,
                detail=error.message,
                refused=refused,
                succeeded_at=None,
                failed_at=now,
            ),
        )


def interval_of(config: ServiceConfig | None) -> timedelta:
    """The time between two checks of a service, or of those without a setting of their own."""
    own = config.health.interval_seconds if config else None
    return timedelta(seconds=own or settings.HEALTH_SECONDS)


def is_outdated(known: Health) -> bool:
    """Whether all that it goes by is long ago: to be asked of a service that nobody checks."""
    return not any(map(_is_recent, (known.checked_at, known.succeeded_at, known.failed_at)))


def forget(service: str) -> None:
    """Know nothing of a service, as at the start: it was changed, switched off or removed."""
    with _lock:
        for memory in (_known, _untold):
            memory.pop(service, None)
        _last_success.pop(service, None)


def forget_all() -> None:
    with _lock:
        _known.clear()
        _untold.clear()
        _last_success.clear()


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


def _revise(service: str, revised: Callable[[Health | None], Health]) -> None:
    with _lock:
        before = _known.get(service)
        health = _known[service] = _untold[service] = revised(before)
    _announce(service, before, health)


def _announce(service: str, before: Health | None, now: Health) -> None:
    if before is None or before.healthy != now.healthy:
        signals.health_changed.send_robust(sender=Health, service=service, health=now)


def _is_recent(moment: datetime | None) -> bool:
    return moment is not None and timezone.now() - moment < RECENT
