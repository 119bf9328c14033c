"""How services look in the API's answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apikeys import keyring
from services import health
from services.breaker import breakers
from services.config import ServiceConfig


def overview(services: Mapping[str, ServiceConfig]) -> dict[str, Any]:
    """What `GET /api/services/` answers."""
    shown = {name: summary(config) for name, config in services.items()}
    return {
        "total": len(shown),
        "healthy": sum(service["healthy"] for service in shown.values()),
        "enabled": sum(service["enabled"] for service in shown.values()),
        "services": shown,
    }


def summary(config: ServiceConfig) -> dict[str, Any]:
    known = health.of(config.name)
    return {
        "enabled": config.enabled,
        "healthy": bool(known and known.healthy),
        "info": {
            "type": config.type,
            "api": config.api,
            "base_url": config.base_url,
            "model": config.model,
        },
    }


def detail(config: ServiceConfig) -> dict[str, Any]:
    known = health.of(config.name)
    return {
        "name": config.name,
        **summary(config),
        "health": {
            "checked_at": known.checked_at if known else None,
            "response_ms": known.response_ms if known else None,
            "detail": known.detail if known else "not checked yet",
        },
        "breaker": breakers[config.name].state,
        "has_key": bool(keyring.secret_for(config.name, config.api_key_env)),
        "models": sorted(config.allowed_models or (known.models if known else ())),
        "capabilities": sorted(config.capabilities),
        "timeout_seconds": config.timeout_seconds,
        "max_concurrency": config.max_concurrency,
        "max_retries": config.max_retries,
    }
