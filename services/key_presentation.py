"""How keys look in the API's answers: never more of one than its preview."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypedDict

from apikeys import keyring
from services import health, keys
from services.config import ServiceConfig


class KeyStatus(TypedDict):
    """`valid` is true once a check or test has shown it; `state` also tells "unknown" from "invalid".

    `variable` is the environment variable that is looked at first, `detail` what is to be done.
    """

    service: str
    configured: bool
    valid: bool
    key_preview: str | None
    state: Literal["missing", "unknown", "valid", "invalid"]
    source: Literal["environment", "database", "file"] | None
    variable: str | None
    checked_at: datetime | None
    detail: str


class KeyStatusList(TypedDict):
    total: int
    configured: int
    services: dict[str, KeyStatus]


class TestDetails(TypedDict):
    model_count: int
    service: str


class KeyTested(TypedDict):
    """`success` says that the test could be made, `valid` how it came out."""

    success: bool
    valid: bool
    message: str
    details: TestDetails


class KeyUpdated(TypedDict):
    """`in_force` is false where another key is found earlier: `shadowed_by` names its variable."""

    success: bool
    service: str
    message: str
    warning: str | None
    stored_in: Literal["environment", "database", "file"]
    in_force: bool
    shadowed_by: str | None
    key_preview: str


def overview(services: Mapping[str, ServiceConfig]) -> KeyStatusList:
    shown = {name: status(config) for name, config in services.items() if keys.takes_key(config)}
    configured = sum(one["configured"] for one in shown.values())
    return {"total": len(shown), "configured": configured, "services": shown}


def status(config: ServiceConfig) -> KeyStatus:
    found = keyring.find(config.name, config.api_key_env)
    state = keys.state(config)
    known = health.of(config.name) if state in ("valid", "invalid") else None
    return {
        "service": config.name,
        "configured": bool(found.secret),
        "valid": state == "valid",
        "key_preview": keyring.preview(found.secret) or None,
        "state": state,
        "source": found.source,
        "variable": config.api_key_env or None,
        "checked_at": known.checked_at if known else None,
        "detail": _detail(config, state),
    }


def tested(config: ServiceConfig, trial: keys.Trial) -> KeyTested:
    return {
        "success": trial.success,
        "valid": trial.valid,
        "message": trial.message,
        "details": {"model_count": trial.model_count, "service": config.name},
    }


def updated(config: ServiceConfig, secret: str, update: keys.Update) -> KeyUpdated:
    shadow = None if update.in_force else config.api_key_env
    message = f"API key of {config.name} saved. It is used from the next call on."
    if shadow:
        message = f"API key of {config.name} saved, but {shadow} is set and wins: change it there, or unset it."
    return {
        "success": True,
        "service": config.name,
        "message": message,
        "warning": _warning(config, update),
        "stored_in": update.stored_in,
        "in_force": update.in_force,
        "shadowed_by": shadow,
        "key_preview": keyring.preview(secret),
    }


def _detail(config: ServiceConfig, state: keys.State) -> str:
    if problem := keys.unreadable(config):
        return f"The stored key {problem}."
    place = f"Set {config.api_key_env}, or send" if config.api_key_env else "Send"
    return {
        "missing": f"There is no key. {place} one to /api/api-keys/update/.",
        "unknown": "Not checked yet, or the service could not be asked.",
        "valid": "The service took the key when it was last asked.",
        "invalid": "The service does not take the key. Enter it again.",
    }[state]


def _warning(config: ServiceConfig, update: keys.Update) -> str | None:
    file = keys.shown_file()
    if update.left_in_file:
        return f"An earlier key still stands in plain text in {file}. Remove it there."
    if update.stored_in == "database":
        return None
    variable = f"the environment variable {config.api_key_env}" if config.api_key_env else "an environment variable"
    return f"The key is saved in plain text in {file}. For production, use {variable} or OXIDE_KEY_STORE=database."
