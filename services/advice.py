"""What to do about services in a bad state, for people: the dashboard and the admin pages say the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from apikeys import keyring
from services import availability, keys
from services.availability import Obstacle
from services.config import ServiceConfig
from services.key_pages import page_for


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, about `service` where it is about one.

    `page` is where in the admin pages one acts and `action` what one does there; `command` is what one may type. Each
    is empty where there is none.
    """

    text: str
    service: str = ""
    page: str = ""
    action: str = ""
    command: str = ""


def can_be_asked(config: ServiceConfig) -> bool:
    """Whether it is ever called: a service in a bad state is, after all others."""
    obstacle = availability.obstacle_of(config)
    return config.enabled and not (obstacle and obstacle.excludes)


def is_ready(config: ServiceConfig) -> bool:
    """Whether nothing is known to be wrong with it, so that it is called in its usual place."""
    return config.enabled and availability.obstacle_of(config) is None


def with_models(services: Iterable[ServiceConfig]) -> list[ServiceConfig]:
    return [config for config in services if config.type != "builtin"]


def title_of(models: list[ServiceConfig]) -> str:
    """What is missing before any service with a model is ready; "" where one is."""
    if not models:
        return "There is no model to ask yet"
    if not any(config.enabled for config in models):
        return "All services are switched off"
    if any(map(is_ready, models)):
        return ""
    return "No service answers at the moment" if any(map(can_be_asked, models)) else "No model can be asked yet"


def first_step(models: list[ServiceConfig]) -> Step | None:
    """The one thing to do next while no service is ready, what takes least first; None where one is."""
    if not title_of(models):
        return None
    if not models:
        text = "Add a service with a model, such as an Ollama on this machine."
        return Step(text, page=reverse("admin:services_service_add"), action="Add a service")
    stuck = [config for config in models if config.enabled]
    if not stuck:
        page = reverse("admin:services_service_changelist")
        return Step("Switch at least one service on.", page=page, action="Go to the services")
    return step_for(min(stuck, key=_effort))


def step_for(config: ServiceConfig) -> Step | None:
    """What to do about one that is switched on and in a bad state."""
    obstacle = availability.obstacle_of(config) if config.enabled else None
    return _step(config, obstacle) if obstacle else None


def _effort(config: ServiceConfig) -> int:
    """A program on one's own machine is sooner started than a key is got."""
    if keys.is_missing(config):
        return 1
    return 0 if config.api == "ollama" else 2


def _step(config: ServiceConfig, obstacle: Obstacle) -> Step:
    name = config.name
    if obstacle.code == "no_key":
        text = f"{name} needs a key: enter it, or set {obstacle.variable} and restart."
        return Step(text, name, page_for(config), "Enter its key")
    if obstacle.code == "key_refused":
        if keyring.find(name, config.api_key_env).source == "environment":
            return Step(f"{name} does not take the key in {obstacle.variable}: set another, and restart.", name)
        return Step(f"{name} does not take its key.", name, page_for(config), "Enter another key")
    text = f"{name} {obstacle.text.removesuffix('.')}."
    page = f"{reverse('admin:services_service_changelist')}?{urlencode({'q': name})}"
    if obstacle.code == "unhealthy" and config.api == "ollama":
        command = f"ollama run {config.model or 'llama2'}"
        return Step(f"{text} Start it with: {command}.", name, page, "Look at it", command)
    return Step(text, name, page, "Look at it")
