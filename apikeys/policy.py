"""The `security` section as it holds now: who must say who they are, how often they may call, and from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from apikeys.models import SecurityPolicy
from snapshots.snapshot import Snapshot

# A machine's own names are no way in from elsewhere, and without them nobody could mend a wrong list.
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Policy:
    """Rates are written as `100/m`; `0` is no limit."""

    auth_enabled: bool
    anonymous_rate: str
    authenticated_rate: str
    allowed_hosts: tuple[str, ...]
    cors_origins: tuple[str, ...]


def current() -> Policy:
    return policy.get()


@transaction.atomic
def declare(
    *,
    auth_enabled: bool | None = None,
    anonymous_rate: str | None = None,
    authenticated_rate: str | None = None,
    allowed_hosts: Sequence[str] | None = None,
    cors_origins: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Take over what the configuration file says; None is what it does not name. Returns the fields that changed."""
    row = SecurityPolicy.objects.select_for_update().first() or SecurityPolicy()
    named = {
        "auth_enabled": auth_enabled,
        "anonymous_rate": anonymous_rate,
        "authenticated_rate": authenticated_rate,
        "allowed_hosts": None if allowed_hosts is None else list(allowed_hosts),
        "cors_origins": None if cors_origins is None else list(cors_origins),
    }
    changed = {name: value for name, value in named.items() if value not in (None, getattr(row, name))}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.save()
    return tuple(changed)


def _load() -> Policy:
    row = SecurityPolicy.objects.first() or SecurityPolicy()
    hosts = settings.ENVIRONMENT_HOSTS or [*_LOOPBACK_HOSTS, *row.allowed_hosts]
    if not settings.ENVIRONMENT_HOSTS:
        # In place: Django looks at this list with each request, and so a reload holds without a restart.
        settings.ALLOWED_HOSTS[:] = list(dict.fromkeys(hosts))
    return Policy(
        auth_enabled=row.auth_enabled if settings.AUTH_ENABLED is None else settings.AUTH_ENABLED,
        anonymous_rate=settings.RATE_LIMIT_ANON or row.anonymous_rate,
        authenticated_rate=settings.RATE_LIMIT_USER or row.authenticated_rate,
        allowed_hosts=tuple(dict.fromkeys(hosts)),
        cors_origins=tuple(row.cors_origins),
    )


policy: Snapshot[Policy] = Snapshot("security", _load)
