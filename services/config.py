"""One service's configuration as the rest of Oxide sees it: a frozen copy of its row."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from services.adapters.base import Feature, Probe
from services.prices import PriceOverride


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Whether, how and how often a service is checked. `interval_seconds` None is that of `OXIDE_HEALTH_SECONDS`."""

    enabled: bool = True
    probe: Probe = field(default_factory=Probe)
    interval_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    name: str
    type: str
    api: str = ""
    enabled: bool = True
    base_url: str = ""
    command: tuple[str, ...] = ()
    model: str = ""
    allowed_models: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    api_key_env: str = ""
    timeout_seconds: float = 120.0
    max_concurrency: int = 16
    max_retries: int = 2
    health: HealthSettings = field(default_factory=HealthSettings)
    price: PriceOverride | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: str = field(default="", repr=False)
    ca_file: str = ""

    @property
    def kind(self) -> str:
        """Which adapter speaks to it: the protocol of an HTTP server, else the type itself."""
        return self.api if self.type == "http" else self.type

    @property
    def takes_any_model(self) -> bool:
        """Whether the name of a model reaches it. A program may have no place for one, and runs what it runs."""
        return self.type == "http" or any("{model}" in part for part in self.command)

    @property
    def needs_key(self) -> bool:
        return bool(self.api_key_env)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service as routing sees it at one moment.

    `exclusion` says why it cannot be called at all (it has no key), `obstacle` why it is called last, after all
    services in a better state. Each is worded to follow the service's name, and empty where there is no such reason.
    `listed_models` is what the server last listed; empty where that is not known.
    """

    config: ServiceConfig
    features: frozenset[Feature] = frozenset()
    obstacle: str = ""
    listed_models: frozenset[str] = frozenset()
    exclusion: str = ""

    @property
    def models(self) -> frozenset[str]:
        """The models that it is known to have: those allowed, or its own and what its server lists."""
        own = {self.config.model} if self.config.model else set()
        return self.config.allowed_models or self.listed_models | own

    def has(self, model: str) -> bool:
        """Whether `model` is one of `models`, of which there may be hundreds."""
        if self.config.allowed_models:
            return model in self.config.allowed_models
        return model in self.listed_models or (model != "" and model == self.config.model)

    def offers(self, model: str) -> bool:
        """Whether it may be asked for `model`: only the operator's allow-list restricts that."""
        return not self.config.allowed_models or model in self.config.allowed_models

    def lacks(self, model: str) -> bool:
        """Whether it is known not to list `model`. A server may take it all the same."""
        if self.has(model):
            return False
        if not self.config.takes_any_model:
            return True
        if not self.listed_models:
            return False
        # A list leaves variants out: Ollama's without ":latest", OpenRouter's with ":nitro", Anthropic's without date.
        stem = model.partition(":")[0]
        listed = _sorted(self.listed_models)
        place = bisect_left(listed, stem)
        return place == len(listed) or not listed[place].startswith(stem)


@lru_cache(maxsize=512)
def _sorted(models: frozenset[str]) -> tuple[str, ...]:
    """In this order, names that begin alike stand together. Routing asks of every service, which may list hundreds."""
    return tuple(sorted(models))
