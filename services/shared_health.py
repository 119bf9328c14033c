"""Of several processes one checks the services for all. What any of them finds out goes to the others by the database.

SQLite knows no several: nothing is written there, and everything stays in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from services import directory, health, keys
from services.config import ServiceConfig
from services.health import Health
from services.models import SharedHealth
from services.text import storable
from snapshots.connections import is_embedded
from snapshots.lease import Claim
from snapshots.snapshot import Snapshot

# What is older than the next check or real call should have made it was left by processes that are gone.
_LATE = timedelta(seconds=60)
_COLUMNS = [field.name for field in SharedHealth._meta.concrete_fields if not field.primary_key]

_duty = Claim("health checks")


def is_ours_to_check() -> bool:
    """Whether this process checks. While the database is away, each does so by itself."""
    return is_embedded() or _duty.is_held or _duty.is_unclear


def exchange() -> None:
    """To be called about twice a second: settle who checks, tell what is new here; the rest comes as snapshots do."""
    if is_embedded():
        return
    _duty.renew()
    _shared.get()
    if news := health.untold():
        _store(news)
    if _duty.is_held:
        _clear_away()


def end() -> None:
    """Let another process check from now on."""
    if not is_embedded():
        _duty.give_back()


def _store(news: Mapping[str, Health]) -> None:
    # In one order everywhere: two processes that lock the same rows must not wait for each other.
    rows = [_row(service, found) for service, found in sorted(news.items())]
    with transaction.atomic():
        SharedHealth.objects.bulk_create(rows, update_conflicts=True, unique_fields=["service"], update_fields=_COLUMNS)
        _shared.changed()
    health.note_told(news)


def _clear_away() -> None:
    """Have all forget what is not checked any more: services that were removed or disabled, or lost their key."""
    checked = {name for name, config in directory.current().items() if config.enabled and not keys.is_missing(config)}
    gone = _shared.get().keys() - checked
    if gone:
        with transaction.atomic():
            SharedHealth.objects.filter(service__in=gone).delete()
            _shared.changed()


def _load() -> Mapping[str, Health]:
    services = directory.current()
    rows = SharedHealth.objects.annotate(now=Now())
    return {row.service: _health(row) for row in rows if row.now - row.stored_at < _lasts(services.get(row.service))}


def _lasts(config: ServiceConfig | None) -> timedelta:
    """How long after it was stored a row is worth something."""
    if config and not config.health.enabled:
        return health.RECENT
    return 2 * health.interval_of(config) + _LATE


def _take_in(before: Mapping[str, Health] | None, now: Mapping[str, Health]) -> None:
    """Only what is new in the table counts, whatever the clocks say: those of several hosts differ."""
    before = before or {}
    for service in before.keys() | now.keys():
        if before.get(service) != now.get(service):
            health.hear(service, now.get(service))


def _row(service: str, found: Health) -> SharedHealth:
    return SharedHealth(
        service=service,
        healthy=found.healthy,
        checked_at=found.checked_at,
        response_ms=found.response_ms,
        detail=storable(found.detail),
        listed_models=sorted(map(storable, found.models)),
        refused=found.refused,
        list_problem=storable(found.list_problem),
        timed_out=found.timed_out,
        succeeded_at=found.succeeded_at,
        failed_at=found.failed_at,
        stored_at=Now(),
    )


def _health(row: SharedHealth) -> Health:
    return Health(
        healthy=row.healthy,
        checked_at=row.checked_at,
        response_ms=row.response_ms,
        detail=row.detail,
        models=frozenset(row.listed_models),
        refused=row.refused,
        list_problem=row.list_problem,
        timed_out=row.timed_out,
        succeeded_at=row.succeeded_at,
        failed_at=row.failed_at,
    )


# Made after those of services and keys (imported above), and so followed after them: a service that was changed or
# got another key is forgotten first, and then what a check found out since is taken in.
_shared: Snapshot[Mapping[str, Health]] = Snapshot("health", _load, _take_in)
