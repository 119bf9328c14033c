"""What the front page of the admin tells: the state at a glance, and what to do next where something is missing.

All of it is in memory or in small tables: it takes no longer with a million tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC

from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from apikeys import policy
from monitoring import readiness, stats
from monitoring.costs import CostsQuery, Spent, costs
from monitoring.models import minute_of
from monitoring.progress import tracker
from monitoring.stats import EndedTasks
from routing import rulebook
from services import advice, availability, directory, keys, state_badges
from services.advice import Step
from services.config import ServiceConfig
from services.models import Service
from snapshots.connections import is_embedded
from tasks.models import Runner, Status, TaskCount

DETAIL_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class ServiceLine:
    pk: int
    name: str
    enabled: bool
    health: SafeString
    breaker: SafeString
    key: SafeString
    in_flight: int
    step: Step | None


@dataclass(frozen=True, slots=True)
class TasksNow:
    """`today` are those that ended since midnight, UTC; `waiting` those of this process that run, but have no place yet
    at their service; the others are what is stored.
    """

    queued: int
    running: int
    waiting: int
    stored: int
    today: EndedTasks


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """`waiting` are the rules whose service is not ready, so that others are called first."""

    number: int
    waiting: int
    task_types: int
    default: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    version: str
    database: str
    redis: str
    processes: int
    identity_on: bool
    configuration: str


@dataclass(frozen=True, slots=True)
class FrontPage:
    """`title` says in a few words how it is with the whole."""

    title: str
    steps: tuple[Step, ...]
    services: tuple[ServiceLine, ...]
    tasks: TasksNow
    spent: Spent
    rules: RulesInForce
    surroundings: Surroundings


def read() -> FrontPage:
    ids = dict(Service.objects.values_list("name", "pk"))
    services = {name: config for name, config in directory.current().items() if name in ids}
    models = advice.with_models(services.values())
    lines = tuple(_line(config, ids[name]) for name, config in services.items())
    steps = (*_problems(models), *_steps(models, lines))
    return FrontPage(
        title=_title(models),
        steps=steps,
        services=lines,
        tasks=_tasks(),
        spent=costs(CostsQuery(days=1))["total"],
        rules=_rules(services),
        surroundings=_surroundings(),
    )


def _title(models: list[ServiceConfig]) -> str:
    number, ready = sum(map(advice.can_be_asked, models)), sum(map(advice.is_ready, models))
    last = f", {number - ready} of them last" if number > ready else ""
    return advice.title_of(models) or f"{number} of {len(models)} services can be asked{last}"


def _problems(models: Iterable[ServiceConfig]) -> Iterator[Step]:
    """What is wrong with Oxide itself, or with a key that is there."""
    for part, problem in readiness.problems().items():
        if problem:
            yield Step(f"{part.capitalize()}: {problem}")
    for config in models:
        if problem := keys.unreadable(config):
            link = reverse("admin:apikeys_providerkey_changelist")
            yield Step(f"The stored key of {config.name} {problem}.", config.name, link, "Enter it again")


def _steps(models: list[ServiceConfig], lines: Iterable[ServiceLine]) -> Iterator[Step]:
    """What is wrong with services, the one thing to do next first.

    Most people use a few of those declared: where one is ready, those without a key are not mentioned.
    """
    first = advice.first_step(models)
    if first and not first.service:
        yield first
    keyless = {config.name for config in models if keys.is_missing(config)}
    steps = [line.step for line in lines if line.step and (first or line.name not in keyless)]
    yield from sorted(steps, key=lambda step: first is None or step.service != first.service)


def _line(config: ServiceConfig, pk: int) -> ServiceLine:
    return ServiceLine(
        pk=pk,
        name=config.name,
        enabled=config.enabled,
        health=state_badges.of_health(config, DETAIL_CHARACTERS),
        breaker=state_badges.of_breaker(config),
        key=state_badges.of_key(config),
        in_flight=availability.bulkhead.in_flight(config.name),
        step=advice.step_for(config),
    )


def _tasks() -> TasksNow:
    counts = TaskCount.by_status()
    midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return TasksNow(
        queued=counts[Status.QUEUED],
        running=counts[Status.RUNNING],
        waiting=tracker.waiting,
        stored=sum(counts.values()),
        today=stats.ended(minute_of(midnight)),
    )


def _rules(services: Mapping[str, ServiceConfig]) -> RulesInForce:
    book = rulebook.current()
    rules = [rule for group in book.rules.values() for rule in group]
    waiting = sum(rule.service not in services or not advice.is_ready(services[rule.service]) for rule in rules)
    return RulesInForce(len(rules), waiting, len(book.rules), book.default)


def _surroundings() -> Surroundings:
    return Surroundings(
        version=settings.VERSION,
        database="SQLite" if is_embedded() else f"PostgreSQL on {connection.settings_dict['HOST'] or 'this host'}",
        redis="in use" if settings.REDIS_URL else "not used: one process keeps counters and events in memory",
        processes=Runner.alive().count(),
        identity_on=policy.current().auth_enabled,
        configuration=keys.shown_file(),
    )
