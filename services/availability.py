"""In which state services are: which are called first, which last, and which cannot be called at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services import directory, health, keys
from services.adapters.registry import adapter_class
from services.breaker import breakers
from services.config import ServiceConfig, ServiceState
from services.places import bulkhead

__all__ = ["Obstacle", "ObstacleCode", "bulkhead", "obstacle_of", "state_of", "states"]

ObstacleCode = Literal["no_key", "key_refused", "unhealthy", "resting"]
_BEFORE_DETAIL: Mapping[ObstacleCode, str] = {
    "no_key": "has no API key: ",
    "key_refused": "is currently unhealthy: ",
    "unhealthy": "is currently unhealthy: ",
    "resting": "",
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a service is called last or, without a key (`no_key`), not at all.

    `variable` is where its key is looked for, if that is what is wrong.
    """

    code: ObstacleCode
    detail: str
    variable: str = ""

    @property
    def text(self) -> str:
        """Worded to follow the service's name."""
        return f"{_BEFORE_DETAIL[self.code]}{self.detail}"

    @property
    def excludes(self) -> bool:
        """Whether the service cannot be called before somebody does something about it."""
        return self.code == "no_key"


def states() -> Mapping[str, ServiceState]:
    """Every service as routing must see it. Nothing is asked of a database or a network."""
    return {name: state_of(config) for name, config in directory.current().items()}


def state_of(config: ServiceConfig) -> ServiceState:
    known, obstacle = health.of(config.name), obstacle_of(config)
    text = obstacle.text if obstacle else ""
    excludes = obstacle is not None and obstacle.excludes
    return ServiceState(
        config=config,
        features=adapter_class(config.kind).FEATURES,
        obstacle="" if excludes else text,
        listed_models=known.models if known else frozenset(),
        exclusion=text if excludes else "",
    )


def obstacle_of(config: ServiceConfig) -> Obstacle | None:
    if keys.is_missing(config):
        todo = f"set {config.api_key_env} and restart, or POST /api/api-keys/update/"
        return Obstacle("no_key", todo, config.api_key_env)
    known = health.of(config.name)
    if known and known.healthy is False:
        detail = known.detail.removeprefix(config.name).strip()
        if known.refused:
            return Obstacle("key_refused", detail, config.api_key_env)
        return Obstacle("unhealthy", detail)
    if breakers[config.name].blocked():
        return Obstacle("resting", "failed several times in a row: its circuit breaker is open")
    return None
