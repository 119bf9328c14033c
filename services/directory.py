"""The services there are, by name, without asking the database."""

from __future__ import annotations

from collections.abc import Mapping

from services.config import ServiceConfig
from services.models import Service
from snapshots.snapshot import Snapshot


def current() -> Mapping[str, ServiceConfig]:
    return directory.get()


def _load() -> Mapping[str, ServiceConfig]:
    return {service.name: service.config for service in Service.objects.all()}


directory: Snapshot[Mapping[str, ServiceConfig]] = Snapshot("services", _load)
