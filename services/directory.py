"""The services there are, by name, without asking the database."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import Http404

from services import health
from services.config import ServiceConfig
from services.models import Service
from services.pauses import pauses
from snapshots.snapshot import Snapshot


def current() -> Mapping[str, ServiceConfig]:
    return directory.get()


def find(name: str) -> ServiceConfig:
    """The service of that name. Raises `Http404`, which says where all are listed."""
    config = current().get(name)
    if config is None:
        raise Http404(f"There is no service named {name!r}. GET /api/services/ lists them.")
    return config


def _load() -> Mapping[str, ServiceConfig]:
    return {service.name: service.config for service in Service.objects.all()}


def _forget_changed(before: Mapping[str, ServiceConfig] | None, now: Mapping[str, ServiceConfig]) -> None:
    """What was learned of a service before it was changed, by whichever process, may no longer be true."""
    for name, config in (before or {}).items():
        if now.get(name) != config:
            health.forget(name)
            pauses.forget(name)


directory: Snapshot[Mapping[str, ServiceConfig]] = Snapshot("services", _load, _forget_changed)
