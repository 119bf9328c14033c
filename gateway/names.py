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
    """There is no such name, or every service is restricted to other models."""


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
        return _named_of(states[head], rest)
    # A list of models may be incomplete: whether there is such a model, only the provider can say.
    if not any(_is_open_to(state, name) for state in states.values()):
        raise _not_found(name)
    return Named(model=name)


def offers() -> Iterator[Offer]:
    """Everything that can be named for sure: `auto`, then each service's models in the form `<service>/<model>`."""
    yield Offer(ANY_SERVICE, "oxide")
    yield from (Offer(f"{ANY_SERVICE}/{task_type}", "oxide") for task_type in TaskType)
    for name, state in sorted(availability.states().items()):
        if state.config.enabled:
            yield from (Offer(f"{name}/{model}", name) for model in sorted(state.models))


def offer(name: str) -> Offer:
    """One entry, by any name that a request may use.

    Raises `ModelNotFoundError`, also for a model that every service is known not to list.
    """
    named, states = resolve(name), availability.states()
    if named.service:
        return Offer(name, named.service)
    if not named.model:
        return Offer(name, "oxide")
    owners = [key for key, state in states.items() if state.has(named.model)]
    if not owners and all(state.lacks(name) for state in states.values() if _is_open_to(state, name)):
        raise _not_found(name)
    return Offer(name, owners[0] if owners else "oxide")


def _task_type(name: str) -> TaskType:
    try:
        return TaskType(name)
    except ValueError:
        known = ", ".join(f"{ANY_SERVICE}/{task_type}" for task_type in TaskType)
        raise ModelNotFoundError(f"{name!r} is no type of task. Use one of: {known}.") from None


def _is_open_to(state: ServiceState, model: str) -> bool:
    """Whether a service may be asked for `model`; one to which no name of a model is passed only for its own."""
    is_open = state.config.enabled and state.config.takes_any_model and state.offers(model)
    return is_open or state.has(model)


def _named_of(state: ServiceState, model: str) -> Named:
    service = state.config.name
    if state.config.enabled and not state.offers(model):
        allowed = ", ".join(sorted(state.config.allowed_models))
        raise ModelNotFoundError(f"{service} may not be asked for {model!r}. Name one of its models: {allowed}.")
    return Named(service=service, model=model)


def _not_found(name: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"The model {name!r} is not among those of any service. GET /v1/models lists what there is; "
        "auto leaves the choice to Oxide."
    )
