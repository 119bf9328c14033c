"""How services look in the API's answers. The shapes are also what the API's documentation is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, TypedDict

from apikeys import keyring
from services import advice, availability, health, standing
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
    """`obstacle` is why Oxide calls it only after all others, or without a key (`no_key`) not at all, worded to follow
    its name; "" where nothing is in the way.

    The same for programs: `obstacle_code`, `obstacle_detail` without what the code says already, and
    `obstacle_variable`, the environment variable in which a missing or refused key is looked for.

    `state` is its state in one word, `state_text` the same for people, and `state_detail` what else is known of it.

    `capabilities` are the types of task that the default order has it for; none: all of them.
    """

    breaker: State
    state: standing.Code
    state_text: str
    state_detail: str
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
    """`next_step` is there while no service with a model is in a good state."""

    total: int
    healthy: int
    enabled: int
    services: dict[str, ServiceListed]
    next_step: NextStep | None


class LastCheck(TypedDict):
    """`detail` says what is wrong, or why the models of the service are not known."""

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
    """The outcome of a test. `success` says that the service is there and does not reject our key."""

    service: str
    success: bool
    healthy: bool
    message: str
    response_ms: float
    model_count: int


class ModelList(TypedDict):
    """`problem` says why the list could not be read just now: then `models` is what was known before; "" otherwise."""

    service: str
    default: str
    models: list[str]
    problem: str


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
    obstacle, state = availability.obstacle_of(config), standing.of(config)
    return {
        **summary(config),
        "breaker": breakers[config.name].state,
        "state": state.code,
        "state_text": state.text,
        "state_detail": state.detail,
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


def _unchecked(config: ServiceConfig, known: health.Health) -> str:
    if known.healthy is not None:
        return ""
    return "not checked yet" if config.health.enabled else "not checked"


def tested(config: ServiceConfig, found: health.Health) -> ServiceTested:
    elapsed = found.response_ms or 0.0
    return {
        "service": config.name,
        "success": bool(found.healthy),
        "healthy": bool(found.healthy),
        "message": found.detail or f"{config.name} answered in {elapsed:g} ms.{_without_list(found)}",
        "response_ms": elapsed,
        "model_count": len(found.models),
    }


def _without_list(found: health.Health) -> str:
    return f" Its list of models is not known: {found.list_problem}" if found.list_problem else ""


def models(config: ServiceConfig, found: Iterable[str], problem: str = "") -> ModelList:
    return {"service": config.name, "default": config.model, "models": sorted(found), "problem": problem}


def detail(config: ServiceConfig) -> ServiceDetail:
    known = health.of(config.name) or health.NOTHING
    return {
        "name": config.name,
        **summary(config),
        "health": {
            "checked_at": known.checked_at,
            "response_ms": known.response_ms,
            "detail": known.detail or known.list_problem or _unchecked(config, known),
        },
        "breaker": breakers[config.name].state,
        "in_flight": availability.bulkhead.in_flight(config.name),
        "has_key": bool(keyring.secret_for(config.name, config.api_key_env)),
        "models": sorted(config.allowed_models or known.models),
        "capabilities": sorted(config.capabilities),
        "timeout_seconds": config.timeout_seconds,
        "max_concurrency": config.max_concurrency,
        "max_retries": config.max_retries,
    }
