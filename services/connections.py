"""From a service's configuration to an adapter that is ready to call."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings

from apikeys import keyring
from services import directory
from services.adapters.base import Adapter, Connection
from services.adapters.network import resolved
from services.adapters.registry import adapter_class
from services.config import ServiceConfig


@dataclass(frozen=True, slots=True)
class _Ready:
    config: ServiceConfig
    api_key: str = field(repr=False)
    adapter: Adapter

    def serves(self, config: ServiceConfig, api_key: str) -> bool:
        return self.api_key == api_key and (self.config is config or self.config == config)


_lock = threading.Lock()
_ready: dict[str, _Ready] = {}


def adapter_for(config: ServiceConfig) -> Adapter:
    """The same adapter, with its warm connections, until the configuration or the key changes."""
    api_key = keyring.secret_for(config.name, config.api_key_env)
    ready = _ready.get(config.name)
    if ready and ready.serves(config, api_key):
        return ready.adapter
    return _connect(config, api_key)


@contextmanager
def trial(config: ServiceConfig, api_key: str) -> Iterator[Adapter]:
    """An adapter with another key, for the length of the block. It is not kept; the key is, but only to be masked."""
    adapter = _adapter(config, api_key)
    try:
        yield adapter
    finally:
        adapter.close()


def _connect(config: ServiceConfig, api_key: str) -> Adapter:
    with _lock:
        ready = _ready.get(config.name)
        if ready and ready.serves(config, api_key):
            return ready.adapter
        adapter = _adapter(config, api_key)
        _ready[config.name] = _Ready(config, api_key, adapter)
    if ready:
        ready.adapter.close()
    return adapter


def _adapter(config: ServiceConfig, api_key: str) -> Adapter:
    network = resolved(config.headers, config.proxy, config.ca_file, config.base_url, os.environ)
    for secret in (api_key, *network.secrets):
        keyring.remember(secret)
    return adapter_class(config.kind)(
        Connection(
            service=config.name,
            base_url=config.base_url,
            command=config.command,
            api_key=api_key,
            api_key_env=config.api_key_env,
            max_connections=config.max_concurrency,
            max_reply_bytes=settings.MAX_REPLY_BYTES,
            options=config.options,
            other_keys=partial(_known_keys, config),
            network=network,
        )
    )


def _known_keys(config: ServiceConfig) -> frozenset[str]:
    """For what went wrong, which may be the database: so only what is in memory."""
    others = directory.directory.in_memory() or {}
    return keyring.known(each.api_key_env for each in (config, *others.values()))


def close_all() -> None:
    with _lock:
        retired = list(_ready.values())
        _ready.clear()
    for ready in retired:
        ready.adapter.close()
