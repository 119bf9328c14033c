"""The one place that knows a provider's key. A key is passed to an adapter and to nobody else."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from django.conf import settings
from django.db import transaction

from apikeys import key_file
from apikeys.models import ProviderKey
from apikeys.own_variables import is_own
from apikeys.signals import key_changed
from apikeys.vault import VaultError
from snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)

Source = Literal["environment", "database", "file"]
Keys = Mapping[str, str]
MOST_REMEMBERED = 200
SHORTEST_MASKED = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A key and where it was found; "" and None where there is none."""

    secret: str = field(default="", repr=False)
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """What the database holds. `unreadable` tells why, of each service whose key cannot be decrypted."""

    secrets: Keys = field(repr=False)
    unreadable: Mapping[str, str]


def secret_for(service: str, env_name: str = "") -> str:
    """The key for `service`, or "" where there is none."""
    return find(service, env_name).secret


def find(service: str, env_name: str = "") -> Found:
    """The key in force: from the environment, else from the database, else from the configuration file."""
    if secret := _set_in_environment(env_name):
        return Found(secret, "environment")
    if secret := stored_keys.get().secrets.get(service, ""):
        return Found(secret, "database")
    if secret := file_keys.get().get(service, ""):
        return Found(secret, "file")
    return Found()


def _set_in_environment(name: str) -> str:
    """Never one of Oxide's own, which rows that are older than the check of their names may still name."""
    return os.environ.get(name, "").strip() if name and not is_own(name) else ""


def remember(secret: str) -> None:
    """Note a key with which a provider is called: it stays one to be masked when it is replaced, or was only tried."""
    with _lock:
        _used.pop(secret, None)
        _used[secret] = None
        while len(_used) > MOST_REMEMBERED:
            del _used[next(iter(_used))]


def known(env_names: Iterable[str] = ()) -> frozenset[str]:
    """Every key that this process knows, in force or not. Asks neither the database nor the file.

    Left out are those that are too short to be keys: masking them would make a text unreadable.
    """
    stored = stored_keys.in_memory()
    kept = (stored.secrets if stored else {}, file_keys.in_memory() or {})
    set_ones = map(_set_in_environment, env_names)
    with _lock:
        used = tuple(_used)
    found = {*used, *set_ones, *(secret for secrets in kept for secret in secrets.values())}
    return frozenset(secret for secret in found if len(secret) >= SHORTEST_MASKED)


def preview(secret: str) -> str:
    """As much of a key as anybody may see: `sk-o...xyz`."""
    return f"{secret[:4]}...{secret[-3:]}" if len(secret) >= 12 else "..." if secret else ""


def store(service: str, secret: str) -> Source:
    """Keep a service's key where `OXIDE_KEY_STORE` says; returns that place. Every process follows.

    A key that was kept in the database and would be found first is removed from there.
    """
    if settings.KEY_STORE == "database":
        ProviderKey.store(service, secret)
    else:
        key_file.write(settings.CONFIG_FILE, service, secret)
        with transaction.atomic():
            file_keys.changed()
            ProviderKey.objects.filter(service=service).delete()
    logger.info("The key of %s was changed in the %s.", service, settings.KEY_STORE)
    return "database" if settings.KEY_STORE == "database" else "file"


def reread_file() -> tuple[str, ...]:
    """Have every process read the file's keys again. Returns the services whose key is another one here.

    To be called in a transaction, as `Snapshot.changed` is.
    """
    file_keys.changed()
    return _different(file_keys.get(), _file_keys())


def _read_file() -> Keys:
    return _announced("file", _file_keys())


def _file_keys() -> Keys:
    try:
        return key_file.read(settings.CONFIG_FILE)
    except key_file.KeyFileError as error:
        logger.warning("No keys could be read from %s: %s", settings.CONFIG_FILE, error)
        return {}


def _read_database() -> StoredKeys:
    secrets: dict[str, str] = {}
    unreadable: dict[str, str] = {}
    for row in ProviderKey.objects.all():
        try:
            secrets[row.service] = row.secret
        except VaultError as error:
            unreadable[row.service] = str(error)
            logger.error("The stored key of %s %s.", row.service, error)  # noqa: TRY400 - no traceback is needed
    return StoredKeys(_announced("database", secrets), unreadable)


# The keys with which providers were called, the last used at the end. Whoever tries many must not fill the memory.
_used: dict[str, None] = {}
_lock = threading.Lock()

# The keys that were last read from each place.
_last: dict[str, Keys] = {}


def _announced(place: str, keys: Keys) -> Keys:
    before = _last.get(place)
    _last[place] = keys
    for service in _different(before, keys) if before is not None else ():
        key_changed.send_robust(sender=Snapshot, service=service)
    return keys


def _different(before: Keys, after: Keys) -> tuple[str, ...]:
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


file_keys: Snapshot[Keys] = Snapshot("file_keys", _read_file)
stored_keys: Snapshot[StoredKeys] = Snapshot("provider_keys", _read_database)
