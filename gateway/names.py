"""What `model` may say in a request of another API: who is meant, and what there is.

`auto`, `auto/<task type>`, the name of a service, `<service>/<model>`, or the name of a model that some service has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from routing.engine import ANY_SERVICE
from routing.task_types import TaskType
from services import availability, directory
from services.config import ServiceState


@dataclass(frozen=True, slots=True)
class Named:
    """Each is empty, or None, where Oxide is to choose."""

    task_type: TaskType | None = None
    service: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the list of models; `service` is who has it, or Oxide itself."""

    id: str
    service: str


class ModelNotFoundError(Exception):
    """Nobody has a model of that name."""


def resolve(name: str) -> Named:
    """Raises `ModelNotFoundError`."""
    if name == ANY_SERVICE:
        return Named()
    services = directory.current()
    if name in services:
        return Named(service=name)
    head, _, rest = name.partition("/")
    if head == ANY_SERVICE:
        return Named(task_type=_task_type(rest))
    if head in services and rest and availability.state_of(services[head]).has(rest):
        return Named(service=head, model=rest)
    states = availability.states()
    # `anthropic/claude-…` is a model of OpenRouter, too: it is meant where only that one is known to have it.
    if head in services and rest and not any(state.has(name) for state in states.values()):
        return Named(service=head, model=rest)
    if not any(_may_have(state, name) for state in states.values()):
        raise ModelNotFoundError(
            f"The model {name!r} is not among those of any service. GET /v1/models lists what there is; "
            "auto leaves the choice to Oxide."
        )
    return Named(model=name)


def offers() -> Iterator[Offer]:
    """Everything that can be named for sure: `auto`, then each service's models in the form `<service>/<model>`."""
    yield Offer(ANY_SERVICE, "oxide")
    yield from (Offer(f"{ANY_SERVICE}/{task_type}", "oxide") for task_type in TaskType)
    for name, state in sorted(availability.states().items()):
        if state.config.enabled:
            yield from (Offer(f"{name}/{model}", name) for model in sorted(state.models))


def offer(name: str) -> Offer:
    """One entry, by any name that a request may use. Raises `ModelNotFoundError`."""
    named = resolve(name)
    if named.service:
        return Offer(name, named.service)
    owners = [key for key, state in availability.states().items() if named.model and state.has(named.model)]
    return Offer(name, owners[0] if owners else "oxide")


def _task_type(name: str) -> TaskType:
    try:
        return TaskType(name)
    except ValueError:
        known = ", ".join(f"{ANY_SERVICE}/{task_type}" for task_type in TaskType)
        raise ModelNotFoundError(f"{name!r} is no type of task. Use one of: {known}.") from None


def _may_have(state: ServiceState, model: str) -> bool:
    """A server that has not told its models yet may have any."""
    is_server = state.config.type == "http" and state.config.enabled
    return state.has(model) or (is_server and state.offers(model))
