"""The keys with which services are called: which are there, whether they are good, and a new one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from django.conf import settings

from apikeys import key_file, keyring
from services import connections, health
from services.config import HealthSettings, ServiceConfig

State = Literal["missing", "unknown", "valid", "invalid"]
MAX_LENGTH = 4096


class KeyRefusedError(ValueError):
    """What cannot be done with this key or for this service. The text never holds a key."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of a test. `valid` means something only where the test could be made: `success`."""

    success: bool
    valid: bool
    message: str
    model_count: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """Where a key went. `in_force` is false where another one, found earlier, is still used."""

    stored_in: keyring.Source
    in_force: bool
    left_in_file: bool


def takes_key(config: ServiceConfig) -> bool:
    """Whether a key is asked for, or one is kept for it although none is asked for."""
    if config.type == "builtin":
        return False
    return config.needs_key or bool(keyring.find(config.name).secret) or bool(unreadable(config))


def is_missing(config: ServiceConfig) -> bool:
    """Whether a service cannot be called for want of a key."""
    return config.needs_key and not keyring.secret_for(config.name, config.api_key_env)


def require_key_taker(config: ServiceConfig) -> None:
    if config.type == "builtin":
        raise KeyRefusedError(f"{config.name} takes no API key: it is built in.")
    if not takes_key(config):
        raise KeyRefusedError(
            f"{config.name} takes no API key. If it should, give it the name of an environment variable (api_key_env)."
        )


def unreadable(config: ServiceConfig) -> str:
    """What is wrong with the stored key, worded to follow "The stored key"; "" where nothing is."""
    return keyring.stored_keys.get().unreadable.get(config.name, "")


def state(config: ServiceConfig) -> State:
    """What is known of the key in force, from the last check of the service or test of the key."""
    if not keyring.secret_for(config.name, config.api_key_env):
        return "missing"
    known = health.of(config.name)
    if known is None or config.type == "cli":  # of a program only its presence is checked
        return "unknown"
    if known.refused:
        return "invalid"
    is_checked = not config.health.probe.path and _shows_valid_key(known)
    return "valid" if known.succeeded_at or is_checked else "unknown"


def test(config: ServiceConfig, secret: str | None) -> Trial:
    """Ask the service's free endpoint with the key given, else with the one in force."""
    require_key_taker(config)
    in_force = keyring.secret_for(config.name, config.api_key_env)
    if secret is not None:
        require_usable(secret)
    elif not in_force:
        raise KeyRefusedError(f"{config.name} has no API key yet: send one as api_key{_or_set(config)}.")
    if config.type == "cli":
        return Trial(False, False, "The key of a command-line tool cannot be tested without paying: run a task.")
    # Only the list of models tells of the key; what is checked at another address says nothing of it.
    asked = replace(config, health=HealthSettings())
    if secret is None or secret == in_force:
        is_usual = not config.health.probe.path
        return _judged(config, health.check(config) if is_usual else health.ask(asked, connections.adapter_for(config)))
    with connections.trial(config, secret) as adapter:
        return _judged(config, health.ask(asked, adapter))


def update(config: ServiceConfig, secret: str) -> Update:
    """Keep another key for the service, in the place that `OXIDE_KEY_STORE` names."""
    require_key_taker(config)
    require_usable(secret)
    try:
        stored_in = keyring.store(config.name, secret)
    except key_file.NotInFileError as error:
        raise KeyRefusedError(
            f"The configuration file has no place for the key. {error} Declare the service there{_or_set(config)}, "
            "or have keys stored encrypted with OXIDE_KEY_STORE=database."
        ) from None
    found = keyring.find(config.name, config.api_key_env)
    left_in_file = stored_in == "database" and config.name in keyring.file_keys.get()
    return Update(stored_in, found.secret == secret, left_in_file)


def require_usable(secret: str) -> None:
    """Refuse what no provider would take, or no header could carry."""
    if not secret:
        raise KeyRefusedError("api_key is empty: send the key.")
    if len(secret) > MAX_LENGTH:
        raise KeyRefusedError(f"api_key is longer than {MAX_LENGTH} characters: send the key alone.")
    if not re.fullmatch(r"[!-~]+", secret):
        raise KeyRefusedError(
            "api_key holds a blank, a line break or a character that no key has: copy it again, in one piece."
        )


def _shows_valid_key(found: health.Health) -> bool:
    """Whether the list of models was read: a service that only answers may not have looked at the key."""
    return bool(found.healthy) and not found.list_problem


def _judged(config: ServiceConfig, found: health.Health) -> Trial:
    if _shows_valid_key(found):
        count = len(found.models)
        return Trial(True, True, f"API key is valid. {_available(count)}".strip(), count)
    if found.refused:
        # The provider's own words are left out: some quote most of the key.
        return Trial(True, False, f"{config.name} does not take this API key. Check it and enter it again.")
    return Trial(False, False, f"The API key could not be tested: {found.detail or found.list_problem}")


def _available(count: int) -> str:
    if count < 100:
        return f"{count} {'model' if count == 1 else 'models'} available." if count else ""
    return f"{count // 100 * 100}+ models available."  # long lists change by the day


def _or_set(config: ServiceConfig) -> str:
    return f", or set {config.api_key_env} and restart" if config.api_key_env else ""


def shown_file() -> str:
    """The configuration file as an answer names it."""
    path = settings.CONFIG_FILE
    return str(path.relative_to(settings.BASE_DIR) if path.is_relative_to(settings.BASE_DIR) else path)
