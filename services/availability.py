"""Which services could be called right now, and what stands in the way of the others."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from services import directory, health, keys
from services.adapters.registry import adapter_class
from services.breaker import breakers
from services.bulkhead import Bulkhead
from services.config import ServiceConfig, ServiceState

bulkhead = Bulkhead(settings.THREADS - settings.RESERVED_THREADS)


def states() -> Mapping[str, ServiceState]:
    """Every service as routing must see it. Nothing is asked of a database or a network."""
    return {name: state_of(config) for name, config in directory.current().items()}


def state_of(config: ServiceConfig) -> ServiceState:
    known = health.of(config.name)
    return ServiceState(
        config=config,
        features=adapter_class(config.kind).FEATURES,
        obstacle=_obstacle(config, known),
        listed_models=known.models if known else frozenset(),
    )


def _obstacle(config: ServiceConfig, known: health.Health | None) -> str:
    if keys.is_missing(config):
        return f"has no API key: set {config.api_key_env} and restart, or POST /api/api-keys/update/"
    if known and not known.healthy:
        return f"is currently unhealthy: {known.detail.removeprefix(config.name).strip()}"
    if breakers[config.name].blocked():
        return "failed several times in a row and is left alone for a while"
    return ""
