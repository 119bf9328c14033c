"""Who is to be asked for a task, in what order, and why the others are not.

Plain Python without any I/O: the same demand, rulebook, states and random numbers give the same
decision.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter

from routing.task_types import TaskType
from services.adapters.base import Feature
from services.config import ServiceState

ANY_SERVICE = "auto"


@dataclass(frozen=True, slots=True)
class Rule:
    """Tasks of one type go to one service. An empty `model` means the service's default model."""

    id: str
    task_type: TaskType
    service: str
    model: str = ""
    priority: int = 100
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules in force, by type in the order of their priority, and the services asked after them."""

    rules: Mapping[TaskType, tuple[Rule, ...]]
    default: tuple[str, ...]

    @classmethod
    def of(cls, rules: Iterable[Rule], default: Iterable[str]) -> Rulebook:
        by_type: dict[TaskType, list[Rule]] = {}
        for rule in sorted(rules, key=attrgetter("priority", "id")):
            by_type.setdefault(rule.task_type, []).append(rule)
        return cls({task_type: tuple(group) for task_type, group in by_type.items()}, tuple(dict.fromkeys(default)))


@dataclass(frozen=True, slots=True)
class Demand:
    """What a task needs. `service` is a name, or "" or "auto" for any; an empty `model` leaves it open.

    `needed_by` names the fields of the request that need a feature.
    """

    task_type: TaskType
    service: str = ""
    model: str = ""
    features: frozenset[Feature] = frozenset()
    needed_by: Mapping[Feature, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service to be asked for `model`, which is empty only where none is needed.

    `demoted` marks a last resort: the service is in a bad state, or lists other models than the one that the task
    names. `reason` says which. Demoted candidates follow all others.
    """

    service: str
    model: str
    reason: str
    rule_id: str = ""
    demoted: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A service that is not asked. `reason` is worded to follow its name: "is disabled".

    `by_request` tells that the request itself does not fit it (a feature, the model): asking again
    later changes nothing, asking differently does. `aside` tells that it was never in question.
    """

    service: str
    reason: str
    by_request: bool = False
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The candidates in the order in which to ask them, and every other service with the reason why not."""

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]

    def written(self) -> dict[str, list[dict[str, str | bool]]]:
        """As it is kept with the task. By hand: `dataclasses.asdict` copies every text on its way."""
        return {
            "candidates": [
                {
                    "service": each.service,
                    "model": each.model,
                    "reason": each.reason,
                    "rule_id": each.rule_id,
                    "demoted": each.demoted,
                }
                for each in self.candidates
            ],
            "skipped": [
                {
                    "service": each.service,
                    "reason": each.reason,
                    "by_request": each.by_request,
                    "aside": each.aside,
                }
                for each in self.skipped
            ],
        }


class UnknownServiceError(Exception):
    """A task names a service that does not exist."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        if self.known:
            advice = f'Name one of these, or "{ANY_SERVICE}" for the routing rules to choose: {", ".join(self.known)}.'
        else:
            advice = "There is no service at all yet: add one in the admin, or to the configuration file and reload it."
        super().__init__(f'There is no service "{name}". {advice}')


def choose(demand: Demand, rulebook: Rulebook, states: Mapping[str, ServiceState], rng: random.Random) -> Decision:
    """Rank the services for one task.

    The rules for its type come first, by priority; rules of equal priority in a random order drawn
    by weight. Then the default order follows, and after it any other service with the model that the task names.
    Services in a bad state keep this order, but follow all others. Where the task names a model, services that are
    known to have it come first, and those that list only others come last.

    A task that names its service has that one alone as its candidate, whatever its state. Raises
    `UnknownServiceError` where it names one that is not in `states`.
    """
    if demand.service not in ("", ANY_SERVICE):
        return _choose_named(demand, rulebook, states)
    draft = _Draft(demand, states)
    for rule in _in_turn(rulebook.rules.get(demand.task_type, ()), rng):
        draft.add_rule(rule)
    for place, service in enumerate(rulebook.default, start=1):
        draft.add_default(service, place)
    if demand.model:
        draft.add_by_model()
    draft.account_for_the_rest()
    return draft.decision


class _Draft:
    """A decision in the making."""

    def __init__(self, demand: Demand, states: Mapping[str, ServiceState]) -> None:
        self._demand = demand
        self._states = states
        self._candidates: dict[tuple[str, str], Candidate] = {}
        self._chosen: set[str] = set()
        self._skipped: dict[str, Skipped] = {}

    @property
    def decision(self) -> Decision:
        skipped = tuple(skip for name, skip in self._skipped.items() if name not in self._chosen)
        return Decision(_ranked(self._candidates.values(), self._states, self._demand), skipped)

    def add_rule(self, rule: Rule) -> None:
        state = self._states.get(rule.service)
        if state is None:
            self._skip(Skipped(rule.service, "is named by a rule, but no longer there"))
            return
        model = self._demand.model or rule.model or state.config.model
        if (rule.service, model) in self._candidates:
            return
        if skip := _barred(state) or _misfit(state, self._demand, model):
            self._skip(skip)
            return
        reason = f"rule {rule.id}: priority {rule.priority} for {rule.task_type}"
        self._add(Candidate(rule.service, model, reason, rule.id))

    def add_default(self, service: str, place: int) -> None:
        state = self._states.get(service)
        if service in self._chosen or state is None:
            return
        model = self._demand.model or state.config.model
        if skip := _barred(state) or _out_of_its_line(state, self._demand) or _misfit(state, self._demand, model):
            self._skip(skip)
            return
        self._add(Candidate(service, model, f"default order, place {place}"))

    def add_by_model(self) -> None:
        """Services that neither a rule nor the default order names, for the model that the task names.

        Those that are known to have it; where nobody is, those that may have it, and at last those that list others:
        a list may be incomplete, and the provider's own answer says more than a refusal of ours.
        """
        model = self._demand.model
        self._add_unordered([state for state in self._states.values() if state.has(model)], f"has the model {model}")
        others = [state for state in self._states.values() if state.config.takes_any_model and state.offers(model)]
        if all(self._states[service].lacks(model) for service in self._chosen):
            unknown = [state for state in others if not state.lacks(model)]
            self._add_unordered(unknown, f"may have the model {model}: its models are not known")
        if not self._chosen:
            self._add_unordered(others, f"may have the model {model}, although it does not list it")

    def _add_unordered(self, states: Iterable[ServiceState], reason: str) -> None:
        for state in states:
            service, model = state.config.name, self._demand.model
            if service in self._chosen or service in self._skipped:
                continue
            if skip := _barred(state, named=True) or _misfit(state, self._demand, model):
                self._skip(skip)
            else:
                self._add(Candidate(service, model, reason))

    def account_for_the_rest(self) -> None:
        unnamed = f"is named by no rule for {self._demand.task_type}, nor in the default order"
        for name, state in self._states.items():
            if name not in self._chosen and name not in self._skipped:
                self._skip(_barred(state) or Skipped(name, unnamed, aside=True))

    def _add(self, candidate: Candidate) -> None:
        self._candidates[candidate.service, candidate.model] = candidate
        self._chosen.add(candidate.service)

    def _skip(self, skip: Skipped) -> None:
        # The first reason stays: it comes from the rule or place that would have counted most.
        self._skipped.setdefault(skip.service, skip)


def _choose_named(demand: Demand, rulebook: Rulebook, states: Mapping[str, ServiceState]) -> Decision:
    state = states.get(demand.service)
    if state is None:
        raise UnknownServiceError(demand.service, states)
    rule = None if demand.model else _rule_with_model(demand, rulebook, state)
    model = rule.model if rule else demand.model or state.config.model
    if skip := _barred(state, named=True) or _misfit(state, demand, model):
        return Decision((), (skip,))
    if rule:
        candidate = Candidate(demand.service, model, f"asked for by name, model of rule {rule.id}", rule.id)
    else:
        candidate = Candidate(demand.service, model, "asked for by name")
    return Decision((_marked(candidate, state.obstacle),), ())


def _ranked(
    candidates: Iterable[Candidate], states: Mapping[str, ServiceState], demand: Demand
) -> tuple[Candidate, ...]:
    """Those in a good state first, in the order in which they came; where a model is named, also by who lists it."""
    if not demand.model:
        marked = [_marked(candidate, states[candidate.service].obstacle) for candidate in candidates]
        return tuple(sorted(marked, key=attrgetter("demoted")))
    found = list(candidates)
    lacking = {each.service for each in found if states[each.service].lacks(demand.model)}
    if len(lacking) == len({each.service for each in found}):
        lacking = set()  # none is any better
    unlisted = f"does not list model {demand.model}"
    marked = [
        _marked(each, states[each.service].obstacle or (unlisted if each.service in lacking else "")) for each in found
    ]

    def place(candidate: Candidate) -> tuple[bool, bool, bool]:
        is_listed = states[candidate.service].has(demand.model)
        return candidate.demoted, candidate.service in lacking, not is_listed

    return tuple(sorted(marked, key=place))


def _marked(candidate: Candidate, obstacle: str) -> Candidate:
    return _demoted(candidate, obstacle) if obstacle else candidate


def _demoted(candidate: Candidate, obstacle: str) -> Candidate:
    reason = f"{candidate.reason}; last resort: {candidate.service} {obstacle}"
    return replace(candidate, reason=reason, demoted=True)


def _rule_with_model(demand: Demand, rulebook: Rulebook, state: ServiceState) -> Rule | None:
    for rule in rulebook.rules.get(demand.task_type, ()):
        if rule.service == demand.service and rule.model and state.offers(rule.model):
            return rule
    return None


def _in_turn(rules: tuple[Rule, ...], rng: random.Random) -> Iterator[Rule]:
    """By priority; among equals a random order in which a rule of weight 2 is first twice as often as one of 1."""
    for _, group in groupby(rules, key=attrgetter("priority")):
        equals = list(group)
        if len(equals) > 1:
            # Waiting times of exponential clocks that tick at the rate of the weights: sorted, they
            # are a weighted draw without replacement. The sort is stable, so rules of weight 0
            # keep their order, at the end.
            equals = sorted(equals, key=lambda rule: _waiting_time(rule.weight, rng))
        yield from equals


def _waiting_time(weight: int, rng: random.Random) -> float:
    return -math.log(1.0 - rng.random()) / weight if weight > 0 else math.inf


def _barred(state: ServiceState, *, named: bool = False) -> Skipped | None:
    if not state.config.enabled:
        return Skipped(state.config.name, "is disabled")
    if state.config.type == "builtin" and not named:
        return Skipped(state.config.name, "is built in and answers only when it is named", aside=True)
    return None


_LACKING = {
    Feature.TOOLS: "cannot call tools",
    Feature.IMAGES: "cannot take images",
    Feature.FILES: "cannot take documents",
    Feature.AUDIO: "cannot take audio",
    Feature.IMAGE_OUTPUT: "cannot draw images",
    Feature.JSON_SCHEMA: "cannot keep to a JSON schema",
    Feature.JSON_OBJECT: "cannot be held to answer in JSON",
    Feature.EMBEDDINGS: "makes no embeddings",
    Feature.COMPLETIONS: "has no /completions, which this request needs",
    Feature.OPENAI: "speaks another protocol than OpenAI's, which alone has what this request asks for",
    Feature.ANTHROPIC: "speaks another protocol than Anthropic's, which alone has what this request asks for",
}


def _misfit(state: ServiceState, demand: Demand, model: str) -> Skipped | None:
    """Why this service cannot be asked for this model, if so.

    What the request itself rules out comes first: a caller who is told that a key is missing tries again later, which
    must not be in vain.
    """
    config = state.config
    if not demand.features <= state.features:
        lacking = demand.features - state.features
        return Skipped(config.name, ", ".join(_lack(key, demand) for key in _LACKING if key in lacking), True)
    if model and not state.offers(model):
        return Skipped(config.name, f"does not offer model {model}: it is not among its models", bool(demand.model))
    if not model and config.type == "http":
        return Skipped(config.name, "has no model to ask for: name one in the task, in a rule or as its default", True)
    return Skipped(config.name, state.exclusion) if state.exclusion else None


def _lack(feature: Feature, demand: Demand) -> str:
    fields = demand.needed_by.get(feature)
    return f"{_LACKING[feature]} ({fields})" if fields else _LACKING[feature]


def _out_of_its_line(state: ServiceState, demand: Demand) -> Skipped | None:
    capabilities = state.config.capabilities
    if not capabilities or demand.task_type in capabilities:
        return None
    return Skipped(state.config.name, f"is not declared to be good at {demand.task_type}")
