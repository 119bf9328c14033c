"""The state of a service in a word: what the dashboard, the admin pages and the command line show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services import availability, health
from services.availability import ObstacleCode
from services.config import ServiceConfig

Code = ObstacleCode | Literal["off", "healthy", "list_unknown", "unchecked"]
_OF_OBSTACLES: Mapping[ObstacleCode, str] = {
    "no_key": "no key",
    "key_refused": "unhealthy, called last",
    "unhealthy": "unhealthy, called last",
    "resting": "circuit breaker open, called last",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """`text` is for people, a few words. `detail` says more where there is more to say: what is wrong, or unknown."""

    code: Code
    text: str
    detail: str = ""


def of(config: ServiceConfig) -> Standing:
    if not config.enabled:
        return Standing("off", "switched off")
    if obstacle := availability.obstacle_of(config):
        return Standing(obstacle.code, _OF_OBSTACLES[obstacle.code], obstacle.detail)
    known = health.of(config.name) or health.NOTHING
    problem = known.list_problem.removeprefix(config.name).strip()
    if known.healthy is None:
        return Standing("unchecked", "not checked yet" if config.health.enabled else "not checked", problem)
    if problem and not known.models:
        return Standing("list_unknown", "reachable, model list unknown", problem)
    return Standing("healthy", "healthy", problem)
