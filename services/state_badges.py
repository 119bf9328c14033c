"""How services and their keys are, as badges of the admin pages."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apikeys import keyring
from apikeys.badges import Tone, badge
from services import health, keys, standing
from services.breaker import breakers
from services.config import ServiceConfig

_TONES: Mapping[standing.Code, Tone] = {
    "off": "quiet",
    "unchecked": "quiet",
    "healthy": "good",
    "list_unknown": "good",
}


def of_health(config: ServiceConfig, characters: int) -> SafeString:
    """In so many characters at most of what the service said."""
    state = standing.of(config)
    if state.code == "no_key":
        return badge("quiet", "not checked: no key")
    detail = f": {Truncator(state.detail).chars(characters)}" if state.detail else ""
    last = ("; called last" if detail else ", called last") if state.called_last else ""
    return badge(_TONES.get(state.code, "bad"), f"{state.name}{detail.removesuffix('.')}{last}")


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
        return badge("bad", f"open for {wait:.0f} s more: called last")
    return badge("busy", "half open: the next call decides")


def detail(config: ServiceConfig, found: health.Health) -> str:
    return found.detail.removeprefix(config.name).strip()
