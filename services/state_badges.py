"""How services and their keys are, as badges of the admin pages."""

from __future__ import annotations

from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apikeys import keyring
from apikeys.badges import badge
from services import health, keys
from services.breaker import breakers
from services.config import ServiceConfig


def of_health(config: ServiceConfig, characters: int) -> SafeString:
    """In so many characters at most of what the service said."""
    known = health.of(config.name)
    if not config.enabled:
        return badge("quiet", "switched off")
    if known and not known.healthy:
        return badge("bad", f"unhealthy: {Truncator(detail(config, known)).chars(characters)}")
    if keys.is_missing(config):
        return badge("quiet", "not checked: no key")
    if breakers[config.name].blocked():
        return badge("bad", "left alone for a while after failures")
    return badge("good", "healthy") if known else badge("quiet", "not checked yet")


def of_key(config: ServiceConfig) -> SafeString:
    """Never more of a key than its preview."""
    if problem := keys.unreadable(config):
        return badge("bad", f"the stored key {problem}")
    secret = keyring.secret_for(config.name, config.api_key_env)
    if secret and keys.state(config) == "invalid":
        return badge("bad", f"refused: {keyring.preview(secret)}")
    if secret:
        return badge("good", f"there: {keyring.preview(secret)}")
    if config.api_key_env:
        return badge("bad", f"needs {config.api_key_env}, missing")
    return badge("quiet", "none needed")


def of_breaker(config: ServiceConfig) -> SafeString:
    breaker = breakers[config.name]
    if breaker.state == "closed":
        return badge("quiet", "closed")
    if wait := breaker.retry_after:
        return badge("bad", f"open: not asked for {wait:.0f} s more")
    return badge("busy", "half open: the next call decides")


def detail(config: ServiceConfig, found: health.Health) -> str:
    return found.detail.removeprefix(config.name).strip()
