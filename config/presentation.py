"""The configuration in force, as `GET /api/config/` answers it: in the words of the file, without a secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NotRequired, TypedDict, get_args

from django.conf import settings

from apikeys import keyring, policy
from config.apply import Changes
from config.problems import is_secret
from routing.models import DefaultRoute, RoutingRule
from services.adapters.network import MASK, shown_headers, shown_proxy
from services.keys import shown_file
from services.models import Service

_OptionalPrice = Literal[
    "cached_input_per_million",
    "cache_write_per_million",
    "cache_write_1h_per_million",
    "reasoning_per_million",
    "per_request",
    "per_search",
]


class PriceShown(TypedDict):
    input_per_million: float
    output_per_million: float
    cached_input_per_million: NotRequired[float]
    cache_write_per_million: NotRequired[float]
    cache_write_1h_per_million: NotRequired[float]
    reasoning_per_million: NotRequired[float]
    per_request: NotRequired[float]
    per_search: NotRequired[float]


class HealthShown(TypedDict):
    """How it is checked. `interval` is in seconds, null for `OXIDE_HEALTH_SECONDS`."""

    enabled: bool
    path: str
    method: str
    interval: float | None


class ServiceShown(TypedDict):
    """`declared` tells whether it stands in the file; the other fields are named as there."""

    type: str
    api: str
    enabled: bool
    base_url: str
    command: list[str]
    model: str
    models: list[str]
    capabilities: list[str]
    api_key_env: str
    api_key: str | None
    api_key_source: Literal["environment", "database", "file"] | None
    timeout_seconds: float
    max_concurrency: int
    max_retries: int
    health: HealthShown
    price: PriceShown | None
    options: dict[str, Any]
    headers: dict[str, str]
    proxy: str
    ca_file: str
    declared: bool


class RuleShown(TypedDict):
    id: str
    task_type: str
    service: str
    model: str
    priority: int
    weight: int
    enabled: bool
    note: str
    declared: bool


class RoutingShown(TypedDict):
    rules: list[RuleShown]
    default: list[str]


class RateLimitsShown(TypedDict):
    anonymous: str
    authenticated: str


class SecurityShown(TypedDict):
    auth_enabled: bool
    rate_limits: RateLimitsShown
    allowed_hosts: list[str]
    cors_origins: list[str]


class Origin(TypedDict):
    """Where the configuration comes from: the file that a reload reads, and where new keys go."""

    file: str
    key_store: str


class Configuration(TypedDict):
    services: dict[str, ServiceShown]
    routing: RoutingShown
    security: SecurityShown
    source: Origin


class RowsChanged(TypedDict):
    added: list[str]
    changed: dict[str, list[str]]
    removed: list[str]


class ChangesShown(TypedDict):
    services: RowsChanged
    rules: RowsChanged
    default_changed: bool
    security: list[str]
    keys: list[str]


class Reloaded(TypedDict):
    status: Literal["reloaded"]
    message: str
    changes: ChangesShown


def configuration() -> Configuration:
    return {
        "services": {service.name: _service(service) for service in Service.objects.all()},
        "routing": _routing(),
        "security": _security(),
        "source": {"file": shown_file(), "key_store": settings.KEY_STORE},
    }


def reloaded(changes: Changes) -> dict[str, Any]:
    """In the shape of `Reloaded`."""
    return {"status": "reloaded", "message": f"{shown_file()}: {changes}.", "changes": changes.as_dict()}


def _service(service: Service) -> ServiceShown:
    key = keyring.find(service.name, service.api_key_env)
    return {
        "type": service.type,
        "api": service.api,
        "enabled": service.enabled,
        "base_url": service.base_url,
        "command": list(masked(map(str, service.command))),
        "model": service.model,
        "models": service.allowed_models,
        "capabilities": service.capabilities,
        "api_key_env": service.api_key_env,
        "api_key": keyring.preview(key.secret) or None,
        "api_key_source": key.source,
        "timeout_seconds": service.timeout_seconds,
        "max_concurrency": service.max_concurrency,
        "max_retries": service.max_retries,
        "health": {
            "enabled": service.health_enabled,
            "path": service.health_path,
            "method": service.health_method,
            "interval": service.health_interval,
        },
        "price": _price(service),
        "options": service.options,
        "headers": shown_headers(service.headers),
        "proxy": shown_proxy(service.proxy),
        "ca_file": service.ca_file,
        "declared": service.declared,
    }


def _price(service: Service) -> PriceShown | None:
    price = service.price
    if price is None:
        return None
    shown: PriceShown = {
        "input_per_million": float(price.input_per_million),
        "output_per_million": float(price.output_per_million),
    }
    for name in _OPTIONAL_PRICES:
        if (dollars := getattr(price, name)) is not None:
            shown[name] = float(dollars)
    return shown


_OPTIONAL_PRICES: Final[tuple[_OptionalPrice, ...]] = get_args(_OptionalPrice)


def _routing() -> RoutingShown:
    rules = RoutingRule.objects.select_related("service")
    return {
        "rules": [_rule(rule) for rule in rules],
        "default": list(DefaultRoute.objects.values_list("service__name", flat=True)),
    }


def _rule(rule: RoutingRule) -> RuleShown:
    return {
        "id": rule.id,
        "task_type": rule.task_type,
        "service": rule.service.name,
        "model": rule.model,
        "priority": rule.priority,
        "weight": rule.weight,
        "enabled": rule.enabled,
        "note": rule.note,
        "declared": rule.declared,
    }


def _security() -> SecurityShown:
    now = policy.current()
    return {
        "auth_enabled": now.auth_enabled,
        "rate_limits": {"anonymous": now.anonymous_rate, "authenticated": now.authenticated_rate},
        "allowed_hosts": list(now.allowed_hosts),
        "cors_origins": list(now.cors_origins),
    }


def masked(command: Iterable[str]) -> Iterator[str]:
    """A command line without the secrets that some programs take there: `--api-key=…`, `--token …`, `API_KEY=…`."""
    follows = False
    for word in command:
        name, equals, _ = word.partition("=")
        named = is_secret(name) and (bool(equals) or word.startswith("-"))
        yield MASK if follows else f"{name}={MASK}" if named and equals else word
        follows = named and not equals and not follows
