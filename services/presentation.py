"""How services look in the API's answers. The shapes are also what the API's documentation is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, TypedDict

from apikeys import keyring
from services import advice, availability, health
from services.availability import ObstacleCode
from services.breaker import State, breakers
from services.config import ServiceConfig


class ServiceInfo(TypedDict):
    type: str
    api: str
    base_url: str
    model: str


class ServiceSummary(TypedDict):
    enabled: bool
    healthy: bool
    info: ServiceInfo


class ServiceListed(ServiceSummary):
    """`obstacle` is what keeps Oxide from calling it now, worded to follow its name; "" where nothing does.

    The same for programs: `obstacle_code`, `obstacle_detail` without what the code says already, and
    `obstacle_variable`, the environment variable in which a missing or refused key is looked for.

    `capabilities` are the types of task that the default order has it for; none: all of them.
    """

    breaker: State
    obstacle: str
    obstacle_code: ObstacleCode | Literal[""]
    obstacle_detail: str
    obstacle_variable: str
    capabilities: list[str]


class NextStep(TypedDict):
    """What to do next, for people, and about which `service` if it is about one.

    `page` is where in the admin pages one does it, `action` what one does there, `command` what one may type; each is
    "" where there is none.
    """

    title: str
    service: str
    text: str
    page: str
    action: str
    command: str


class ServiceList(TypedDict):
    """`next_step` is there while no model can be asked."""

    total: int
    healthy: int
    enabled: int
    services: dict[str, ServiceListed]
    next_step: NextStep | None


class LastCheck(TypedDict):
    checked_at: datetime | None
    response_ms: float | None
    detail: str


class ServiceDetail(ServiceSummary):
    name: str
    health: LastCheck
    breaker: State
    in_flight: int
    has_key: bool
    models: list[str]
    capabilities: list[str]
    timeout_seconds: float
    max_concurrency: int
    max_retries: int


class ServiceTested(TypedDict):
    """The outcome of a test. `success` says that the service answered as it should."""

    service: str
    success: bool
    healthy: bool
    message: str
    response_ms: float
    model_count: int


class ModelList(TypedDict):
    service: str
    default: str
    models: list[str]


def overview(services: Mapping[str, ServiceConfig]) -> ServiceList:
    shown = {name: _listed(config) for name, config in services.items()}
    return {
        "total": len(shown),
        "healthy": sum(service["healthy"] for service in shown.values()),
        "enabled": sum(service["enabled"] for service in shown.values()),
        "services": shown,
        "next_step": _next_step(services.values()),
    }


def _next_step(services: Iterable[ServiceConfig]) -> NextStep | None:
    models = advice.with_models(services)
    step = advice.first_step(models)
    if step is None:
        return None
    return {
        "title": advice.title_of(models),
        "service": step.service,
        "text": step.text,
        "page": step.page,
        "action": step.action,
        "command": step.command,
    }


def _listed(config: ServiceConfig) -> ServiceListed:
    obstacle = availability.obstacle_of(config)
    return {
        **summary(config),
        "breaker": breakers[config.name].state,
        "obstacle": obstacle.text if obstacle else "",
        "obstacle_code": obstacle.code if obstacle else "",
        "obstacle_detail": obstacle.detail if obstacle else "",
        "obstacle_variable": obstacle.variable if obstacle else "",
        "capabilities": sorted(config.capabilities),
    }


def summary(config: ServiceConfig) -> ServiceSummary:
    known = health.of(config.name)
    return {
        "enabled": config.enabled,
        "healthy": bool(known and known.healthy),
        "info": {"type": config.type, "api": config.api, "base_url": config.base_url, "model": config.model},
    }


def tested(config: ServiceConfig, found: health.Health) -> ServiceTested:
    return {
        "service": config.name,
        "success": found.healthy,
        "healthy": found.healthy,
        "message": found.detail or f"{config.name} answered in {found.response_ms:g} ms.",
        "response_ms": found.response_ms,
        "model_count": len(found.models),
    }


def models(config: ServiceConfig, found: Iterable[str]) -> ModelList:
    return {"service": config.name, "default": config.model, "models": sorted(found)}


def detail(config: ServiceConfig) -> ServiceDetail:
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
        "in_flight": availability.bulkhead.in_flight(config.name),
        "has_key": bool(keyring.secret_for(config.name, config.api_key_env)),
        "models": sorted(config.allowed_models or (known.models if known else ())),
        "capabilities": sorted(config.capabilities),
        "timeout_seconds": config.timeout_seconds,
        "max_concurrency": config.max_concurrency,
        "max_retries": config.max_retries,
    }
