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

from apikeys import keyring, policy
from monitoring import readiness, stats
from monitoring.costs import CostsQuery, Spent, costs
from monitoring.models import minute_of
from monitoring.progress import tracker
from monitoring.stats import EndedTasks
from routing import rulebook
from services import availability, directory, keys, state_badges
from services.config import ServiceConfig
from services.key_pages import page_for
from services.models import Service
from snapshots.connections import is_embedded
from tasks.models import Runner, Status, TaskCount

DETAIL_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Step:
    """What is missing, and where one acts; `link` is empty where that is not in these pages."""

    text: str
    link: str = ""
    action: str = ""


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
    """`waiting` are the rules whose service cannot be asked now, so that the next one is."""

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
    models = [config for config in services.values() if config.type != "builtin"]
    lines = tuple(_line(config, ids[name]) for name, config in services.items())
    askable = [config for config in models if _can_be_asked(config)]
    steps = (*_problems(models), *_steps(models, lines, any_askable=bool(askable)))
    return FrontPage(
        title=_title(models, askable),
        steps=steps,
        services=lines,
        tasks=_tasks(),
        spent=costs(CostsQuery(days=1))["total"],
        rules=_rules(services),
        surroundings=_surroundings(),
    )


def _can_be_asked(config: ServiceConfig) -> bool:
    return config.enabled and not availability.state_of(config).obstacle


def _title(models: list[ServiceConfig], askable: list[ServiceConfig]) -> str:
    if not models:
        return "There is no model to ask yet"
    if not any(config.enabled for config in models):
        return "All services are switched off"
    if not askable:
        return "No model can be asked yet"
    return f"{len(askable)} of {len(models)} services can be asked"


def _problems(models: Iterable[ServiceConfig]) -> Iterator[Step]:
    """What is wrong with Oxide itself, or with a key that is there."""
    for part, problem in readiness.problems().items():
        if problem:
            yield Step(f"{part.capitalize()}: {problem}")
    for config in models:
        if problem := keys.unreadable(config):
            link = reverse("admin:apikeys_providerkey_changelist")
            yield Step(f"The stored key of {config.name} {problem}.", link, "Enter it again")


def _steps(models: list[ServiceConfig], lines: Iterable[ServiceLine], *, any_askable: bool) -> Iterator[Step]:
    """What keeps services from being asked. Most people use a few of those declared: where one can be asked, those
    without a key are left in peace.
    """
    if not models:
        add = reverse("admin:services_service_add")
        yield Step("Add a service with a model, such as an Ollama on this machine.", add, "Add a service")
    elif not any(config.enabled for config in models):
        yield Step("Switch at least one on.", reverse("admin:services_service_changelist"), "Go to the services")
    keyless = {config.name for config in models if keys.is_missing(config)}
    for line in lines:
        if line.step and not (any_askable and line.name in keyless):
            yield line.step


def _step(config: ServiceConfig, pk: int) -> Step | None:
    """What to do about a service that cannot be asked."""
    page = reverse("admin:services_service_change", args=[pk])
    if not config.enabled:
        return None
    if keys.is_missing(config):
        text = f"{config.name} needs a key: enter it, or set {config.api_key_env} and restart."
        return Step(text, page_for(config), "Enter its key")
    if keys.state(config) == "invalid":
        if keyring.find(config.name, config.api_key_env).source == "environment":
            return Step(f"{config.name} does not take the key in {config.api_key_env}: set another, and restart.")
        return Step(f"{config.name} does not take its key.", page_for(config), "Enter another key")
    obstacle = availability.state_of(config).obstacle
    if not obstacle:
        return None
    away = config.api == "ollama" and "cannot be reached" in obstacle
    start = f" Start it with: ollama run {config.model or 'llama2'}." if away else ""
    return Step(f"{config.name} {obstacle.removesuffix('.')}.{start}", page, "Look at it")


def _line(config: ServiceConfig, pk: int) -> ServiceLine:
    return ServiceLine(
        pk=pk,
        name=config.name,
        enabled=config.enabled,
        health=state_badges.of_health(config, DETAIL_CHARACTERS),
        breaker=state_badges.of_breaker(config),
        key=state_badges.of_key(config),
        in_flight=availability.bulkhead.in_flight(config.name),
        step=_step(config, pk),
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
    waiting = sum(rule.service not in services or not _can_be_asked(services[rule.service]) for rule in rules)
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
