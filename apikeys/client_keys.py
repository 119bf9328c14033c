"""Keys for programs, recognised without asking the database."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apikeys import accounts
from apikeys.identity import Identity, Scope
from apikeys.models import ClientKey, digests, prefix_of
from snapshots.snapshot import Snapshot

USE_NOTED_EVERY = 60.0  # seconds
HOW_TO_ADOPT = "Give each an owner in the admin pages (Keys for programs), or delete it and make a new key."


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    name: str
    digest: str
    owner_id: int | None
    scopes: frozenset[Scope]
    expires_at: float  # seconds since the epoch
    caller: str = ""


_NONE = _Known(0, "", "0" * 64, None, frozenset(), 0)
_used: dict[int, float] = {}
_written: dict[int, float] = {}


def holder_of(secret: str) -> Identity | None:
    """Who holds this key; None for a key that is not known, disabled or expired, or whose owner is disabled or missing.

    Whoever could reach Oxide while authentication was off could make keys without an owner, with every scope: they are
    good for nothing until an administrator gives them one.
    """
    key = _valid(secret)
    owner = accounts.active(key.owner_id) if key else None
    if key is None or owner is None:
        return None
    _used[key.id] = time.time()
    return Identity(key.name, "key", key.scopes & owner.identity.scopes, key.owner_id, key.caller)


def lacks_owner(secret: str) -> bool:
    """Whether this would be a valid key if somebody owned it."""
    key = _valid(secret)
    return key is not None and key.owner_id is None


def without_owner() -> list[str]:
    """The names of the keys that are refused until they have an owner."""
    return sorted(key.name for key in client_keys.get().values() if key.owner_id is None)


def _valid(secret: str) -> _Known | None:
    key = client_keys.get().get(prefix_of(secret), _NONE)
    # The same work for a key that is not there, so that the time taken tells nothing.
    return key if _matches(key, secret) and time.time() < key.expires_at else None


def _matches(key: _Known, secret: str) -> bool:
    # All of them, whichever fits: the time taken must not tell.
    return sum(hmac.compare_digest(key.digest, digest) for digest in digests(secret)) > 0


def write_last_used() -> None:
    """Keep when keys were used last, each at most once a minute; away from the requests that use them."""
    for key_id, moment in list(_used.items()):
        if moment - _written.get(key_id, 0) >= USE_NOTED_EVERY:
            ClientKey.objects.filter(pk=key_id).update(last_used_at=datetime.fromtimestamp(moment, UTC))
            _written[key_id] = moment


def forget_uses() -> None:
    """For tests, whose keys come and go."""
    _used.clear()
    _written.clear()


def _load() -> Mapping[str, _Known]:
    return {key.prefix: _known(key) for key in ClientKey.objects.filter(enabled=True)}


def _known(key: ClientKey) -> _Known:
    expires_at = key.expires_at.timestamp() if key.expires_at else float("inf")
    return _Known(key.pk, key.name, key.digest, key.owner_id, key.granted, expires_at, f"key:{key.pk}")


client_keys: Snapshot[Mapping[str, _Known]] = Snapshot("client_keys", _load)
