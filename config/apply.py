"""Bring the database in line with a declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from django.db import transaction
from django.http import HttpRequest
from pydantic import BaseModel

from apikeys import keyring, policy, security_log
from config.reading import read
from config.schema import Declaration, HealthEntry, RateLimits, RuleEntry, SecurityEntry, ServiceEntry
from routing.models import DefaultRoute, RoutingRule
from services import key_binding
from services.models import Service
from services.validation import TAKEN
from snapshots.models import Revision

Row = TypeVar("Row", Service, RoutingRule)
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What became of the rows of one table, by name. `changed` tells which fields of each."""

    added: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        changed = [f"{name}: {', '.join(fields)}" for name, fields in self.changed.items()]
        parts = [("added", ", ", self.added), ("changed", "; ", changed), ("removed", ", ", self.removed)]
        return ", ".join(f"{len(names)} {verb} ({between.join(names)})" for verb, between, names in parts if names)

    def as_dict(self) -> dict[str, Any]:
        changed = {name: list(fields) for name, fields in self.changed.items()}
        return {"added": list(self.added), "changed": changed, "removed": list(self.removed)}


@dataclass(frozen=True, slots=True)
class Changes:
    """`security` names fields, `keys` the services whose key in the file is not the one this process knew."""

    services: RowChanges
    rules: RowChanges
    default_changed: bool
    security: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.services or self.rules or self.default_changed or self.security or self.keys)

    def __str__(self) -> str:
        parts = [f"services: {self.services}"] if self.services else []
        parts += [f"rules: {self.rules}"] if self.rules else []
        parts += ["default order changed"] if self.default_changed else []
        parts += [f"security changed ({', '.join(self.security)})"] if self.security else []
        parts += [f"keys changed ({', '.join(self.keys)})"] if self.keys else []
        return "; ".join(parts) or "nothing to change"

    def note(self, request: HttpRequest | None = None) -> None:
        """For the security log; without a request it was a command that imported the file."""
        user = None if request else "manage.py"
        security_log.record("configuration_reloaded", request, user=user, changes=str(self))
        if self.security:
            security_log.record("policy_changed", request, user=user, fields=self.security)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "services": self.services.as_dict(),
            "rules": self.rules.as_dict(),
            "default_changed": self.default_changed,
            "security": list(self.security),
            "keys": list(self.keys),
        }


@transaction.atomic
def apply(declaration: Declaration) -> Changes:
    """Import a declaration, all of it or nothing.

    What it names wins for the fields that it names; rows made in admin or over the API stay; rows
    that came from an earlier declaration and are gone from this one are removed. Rows that are
    right already are not saved, so that nothing reloads because of them.
    """
    _wait_for_other_imports()
    before = _default_order()
    services, rules = _services(), _rules()
    services_added, services_changed = _merge(services, _wanted_services(declaration), _new_service)
    rules_added, rules_changed = _merge(rules, _wanted_rules(declaration, services), _new_rule)
    for row in services.values():
        if row.name in declaration.services:
            key_binding.note(row)
    # Services are removed last: a rule that names another service now must not fall with its old one.
    gone = {name for name, row in services.items() if row.declared and name not in declaration.services}
    rules_gone = _rules_gone(rules, declaration, gone)
    _delete([rules[rule_id] for rule_id in rules_gone])
    _delete([services[name] for name in gone])
    if "default" in declaration.routing.model_fields_set:
        _set_default_order([services[name] for name in declaration.routing.default])
    return Changes(
        RowChanges(services_added, services_changed, tuple(sorted(gone))),
        RowChanges(rules_added, rules_changed, tuple(sorted(rules_gone))),
        default_changed=_default_order() != before,
        security=_declare_security(declaration.security),
        keys=keyring.reread_file(),
    )


def seed_if_new(path: Path) -> Changes | None:
    """Import the file into a database that holds no service yet; leave any other alone.

    The file is read in any case, so that a mistake in it is told at the start and not at the next reload.
    """
    declaration = read(path)
    return None if Service.objects.exists() else apply(declaration)


def _wait_for_other_imports() -> None:
    # Two imports at once would both insert the same rows. SQLite's transactions begin with the
    # write lock; elsewhere this row is what the second one waits for.
    Revision.objects.select_for_update().get_or_create(name="config")


def _services() -> dict[str, Service]:
    return {row.name: row for row in Service.objects.select_for_update()}


def _rules() -> dict[str, RoutingRule]:
    return {row.id: row for row in RoutingRule.objects.select_for_update(of=("self",)).select_related("service")}


def _wanted_services(declaration: Declaration) -> dict[str, Values]:
    return {name: _service_values(entry) for name, entry in declaration.services.items()}


def _service_values(entry: ServiceEntry) -> Values:
    values = _named(entry, "enabled", "model", "timeout_seconds", "max_concurrency", "max_retries", "options")
    values |= {"type": entry.type.value, "declared": True}
    # What an earlier type has left behind goes: a builtin service that still named a key would wait for it.
    values |= {"api": entry.api.value if entry.api else "", "base_url": entry.base_url or ""}
    values |= {"command": entry.command or []}
    if "api_key_env" in entry.model_fields_set or "api_key_env" not in TAKEN[entry.type]:
        values["api_key_env"] = entry.api_key_env or ""
    for name, empty in _NETWORK.items():
        if name in entry.model_fields_set or name not in TAKEN[entry.type]:
            values[name] = getattr(entry, name) or empty
    if "models" in entry.model_fields_set:
        values["allowed_models"] = entry.models
    if "capabilities" in entry.model_fields_set:
        values["capabilities"] = [task_type.value for task_type in entry.capabilities]
    if "health" in entry.model_fields_set:
        values |= _health_values(entry.health)
    if "price" in entry.model_fields_set:
        values |= {column: getattr(entry.price, name, None) for column, name in _PRICES.items()}
    return values


_NETWORK: Mapping[str, Any] = {"headers": {}, "proxy": "", "ca_file": ""}


def _health_values(entry: HealthEntry | None) -> Values:
    """Only what is named, but all the defaults for an empty section."""
    named = _named(entry, *HealthEntry.model_fields) if entry else {}
    return {f"health_{name}": value for name, value in (named or HealthEntry().model_dump()).items()}


_PRICES = {
    "input_price": "input_per_million",
    "output_price": "output_per_million",
    "cached_price": "cached_input_per_million",
    "cache_write_price": "cache_write_per_million",
    "cache_write_1h_price": "cache_write_1h_per_million",
    "reasoning_price": "reasoning_per_million",
    "request_price": "per_request",
    "search_price": "per_search",
}


def _wanted_rules(declaration: Declaration, services: Mapping[str, Service]) -> dict[str, Values]:
    return {entry.id: _rule_values(entry, services[entry.service]) for entry in declaration.routing.rules}


def _rule_values(entry: RuleEntry, service: Service) -> Values:
    values = _named(entry, "model", "priority", "weight", "enabled", "note")
    return values | {"task_type": entry.task_type.value, "service": service, "declared": True}


def _named(entry: BaseModel, *fields: str) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in fields if name in entry.model_fields_set}


def _new_service(name: str, values: Values) -> Service:
    return Service.objects.create(name=name, **values)


def _new_rule(rule_id: str, values: Values) -> RoutingRule:
    return RoutingRule.objects.create(id=rule_id, **values)


def _merge(
    rows: dict[str, Row], wanted: Mapping[str, Values], make: Callable[[str, Values], Row]
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Make `rows` be as wanted; returns the names of the new ones and the fields changed of the others."""
    added = tuple(name for name in wanted if name not in rows)
    updated = {name: _update(rows[name], values) for name, values in wanted.items() if name in rows}
    rows |= {name: make(name, wanted[name]) for name in added}
    return added, {name: fields for name, fields in updated.items() if fields}


def _update(row: Row, values: Values) -> tuple[str, ...]:
    fields: tuple[str, ...] = tuple(name for name, value in values.items() if getattr(row, name) != value)
    for name in fields:
        setattr(row, name, values[name])
    if fields:
        row.save(update_fields=[*fields, "updated_at"])
    return fields


def _rules_gone(rules: Mapping[str, RoutingRule], declaration: Declaration, services_gone: set[str]) -> set[str]:
    """Rules that left the file, and those of a service that did: these cannot stay without it."""
    named = {entry.id for entry in declaration.routing.rules}
    left = {rule_id for rule_id, row in rules.items() if row.declared and rule_id not in named}
    return left | {rule_id for rule_id, row in rules.items() if row.service.name in services_gone}


# The fields of the section as the policy calls them.
_SECURITY = {
    "auth_enabled": "auth_enabled",
    "allowed_hosts": "allowed_hosts",
    "cors_origins": "cors_origins",
    "rate_limits.anonymous": "anonymous_rate",
    "rate_limits.authenticated": "authenticated_rate",
}


def _declare_security(entry: SecurityEntry) -> tuple[str, ...]:
    limits = {
        f"rate_limits.{name}": value for name, value in _named(entry.rate_limits, *RateLimits.model_fields).items()
    }
    named = _named(entry, "auth_enabled", "allowed_hosts", "cors_origins") | limits
    changed = policy.declare(**{_SECURITY[name]: value for name, value in named.items()})
    return tuple(name for name in _SECURITY if _SECURITY[name] in changed)


def _delete(rows: Sequence[Service] | Sequence[RoutingRule]) -> None:
    for row in rows:
        row.delete()


def _default_order() -> list[str]:
    return list(DefaultRoute.objects.values_list("service__name", flat=True))


def _set_default_order(services: Sequence[Service]) -> None:
    if [service.name for service in services] == _default_order():
        return
    for route in DefaultRoute.objects.all():
        route.delete()
    for position, service in enumerate(services, start=1):
        DefaultRoute.objects.create(service=service, position=position)
