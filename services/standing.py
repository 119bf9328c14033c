"""The state of a service in a word: what the dashboard, the admin pages and the command line show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services import availability, health
from services.availability import ObstacleCode
from services.config import ServiceConfig
from services.pauses import pauses

Code = ObstacleCode | Literal["off", "healthy", "list_unknown", "unchecked"]
_OF_OBSTACLES: Mapping[ObstacleCode, str] = {
    "no_key": "no key",
    "key_refused": "unhealthy",
    "unhealthy": "unhealthy",
    "resting": "circuit breaker open",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """`name` says it in a few words. `detail` says what is wrong, unknown or limited."""

    code: Code
    name: str
    detail: str = ""
    called_last: bool = False

    @property
    def text(self) -> str:
        return f"{self.name}, called last" if self.called_last else self.name


def of(config: ServiceConfig) -> Standing:
    if not config.enabled:
        return Standing("off", "switched off")
    if obstacle := availability.obstacle_of(config):
        return Standing(obstacle.code, _OF_OBSTACLES[obstacle.code], obstacle.detail, not obstacle.excludes)
    known = health.of(config.name) or health.NOTHING
    problem = known.list_problem.removeprefix(config.name).strip()
    if limited := pauses.described(config.name):
        problem = f"{limited}; {problem}" if problem else limited
    if known.healthy is None:
        return Standing("unchecked", "not checked yet" if config.health.enabled else "not checked", problem)
    if known.list_problem and not known.models:
        return Standing("list_unknown", "reachable, model list unknown", problem)
    return Standing("healthy", "healthy", problem)
