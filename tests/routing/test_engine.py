from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import pytest

from routing.engine import Candidate, Decision, Demand, Rule, Rulebook, Skipped, UnknownServiceError, choose
from routing.task_types import TaskType
from services.adapters.base import Feature
from services.config import ServiceConfig, ServiceState

CODE = TaskType.CODE_GENERATION
CHAT = TaskType.CHAT


def state(name: str, **fields: object) -> ServiceState:
    """A healthy HTTP service with the default model "<name>-model"; fields of the state or of its configuration."""
    about = {key: fields.pop(key) for key in ("obstacle", "exclusion", "listed_models", "features") if key in fields}
    config = {"type": "http", "api": "openai", "model": f"{name}-model", **fields}
    return ServiceState(ServiceConfig(name=name, **config), **about)  # type: ignore[arg-type]


def decide(
    demand: Demand,
    services: Iterable[ServiceState],
    rules: Iterable[Rule] = (),
    default: Iterable[str] = (),
    seed: int = 1,
) -> Decision:
    states = {service.config.name: service for service in services}
    return choose(demand, Rulebook.of(rules, default), states, random.Random(seed))


def names(decision: Decision) -> list[str]:
    return [candidate.service for candidate in decision.candidates]


def reasons(decision: Decision) -> dict[str, str]:
    return {skip.service: skip.reason for skip in decision.skipped}


def test_the_lowest_priority_number_is_asked_first_and_the_default_order_last() -> None:
    decision = decide(
        Demand(CODE),
        [state("a"), state("b"), state("c"), state("d")],
        [Rule("r2", CODE, "b", priority=2), Rule("r1", CODE, "a", "large", priority=1)],
        ["d", "c"],
    )

    assert decision.candidates == (
        Candidate("a", "large", "rule r1: priority 1 for code_generation", "r1"),
        Candidate("b", "b-model", "rule r2: priority 2 for code_generation", "r2"),
        Candidate("d", "d-model", "default order, place 1"),
        Candidate("c", "c-model", "default order, place 2"),
    )
    assert decision.skipped == ()


def test_rules_of_other_types_do_not_count() -> None:
    decision = decide(Demand(CHAT), [state("a"), state("b")], [Rule("r", CODE, "a")], ["b"])

    assert names(decision) == ["b"]
    assert reasons(decision) == {"a": "is named by no rule for chat, nor in the default order"}


def test_equal_priorities_are_drawn_by_weight() -> None:
    rules = [Rule("r1", CODE, "a", weight=3), Rule("r2", CODE, "b", weight=1)]
    rulebook, states, rng = Rulebook.of(rules, []), {"a": state("a"), "b": state("b")}, random.Random(7)

    first = Counter(names(choose(Demand(CODE), rulebook, states, rng))[0] for _ in range(4000))

    assert 0.72 < first["a"] / 4000 < 0.78


def test_the_draw_goes_on_by_weight_among_those_that_are_left() -> None:
    rules = [Rule("r1", CODE, "a", weight=2), Rule("r2", CODE, "b", weight=1), Rule("r3", CODE, "c", weight=1)]
    rulebook, states, rng = Rulebook.of(rules, []), {name: state(name) for name in "abc"}, random.Random(7)

    orders = Counter("".join(names(choose(Demand(CODE), rulebook, states, rng))) for _ in range(8000))

    # P(abc) = 2/4 · 1/2 and P(bac) = 1/4 · 2/3.
    assert 0.23 < orders["abc"] / 8000 < 0.27
    assert 0.15 < orders["bac"] / 8000 < 0.185
    assert len(orders) == 6


def test_weight_zero_goes_last_within_its_priority_only() -> None:
    rules = [
        Rule("z2", CODE, "zero2", priority=1, weight=0),
        Rule("z1", CODE, "zero1", priority=1, weight=0),
        Rule("a", CODE, "some", priority=1, weight=1),
        Rule("b", CODE, "later", priority=2, weight=100),
    ]
    services = [state(name) for name in ("zero1", "zero2", "some", "later")]

    for seed in range(30):
        assert names(decide(Demand(CODE), services, rules, seed=seed)) == ["some", "zero1", "zero2", "later"]


def test_the_same_random_numbers_give_the_same_decision() -> None:
    rules = [Rule(f"r{number}", CODE, f"s{number}") for number in range(8)]
    services = [state(f"s{number}") for number in range(8)]

    decisions = {decide(Demand(CODE), services, rules, seed=seed).candidates for seed in range(20)}

    assert decide(Demand(CODE), services, rules, seed=3) == decide(Demand(CODE), services, rules, seed=3)
    assert len(decisions) > 10


def test_one_service_may_come_up_with_two_models_but_not_twice_with_one() -> None:
    rules = [
        Rule("r1", CODE, "a", "large", priority=1),
        Rule("r2", CODE, "a", "small", priority=2),
        Rule("r3", CODE, "a", "large", priority=3),
    ]

    decision = decide(Demand(CODE), [state("a")], rules, ["a"])

    assert [(candidate.model, candidate.rule_id) for candidate in decision.candidates] == [
        ("large", "r1"),
        ("small", "r2"),
    ]


@pytest.mark.parametrize(
    ("service", "demand", "skip"),
    [
        (state("a", enabled=False), Demand(CODE), Skipped("a", "is disabled")),
        (state("a", exclusion="has no key"), Demand(CODE), Skipped("a", "has no key")),
        (
            state("a", features=frozenset({Feature.TOOLS})),
            Demand(CODE, features=frozenset({Feature.TOOLS, Feature.IMAGES})),
            Skipped("a", "cannot take images", True),
        ),
        (
            state("a"),
            Demand(CODE, features=frozenset({Feature.TOOLS, Feature.IMAGES, Feature.JSON_SCHEMA})),
            Skipped("a", "cannot call tools, cannot take images, cannot keep to a JSON schema", True),
        ),
        (
            state("a", allowed_models=frozenset({"small"})),
            Demand(CODE, model="large"),
            Skipped("a", "does not offer model large", True),
        ),
        (
            state("a", listed_models=frozenset({"small"})),
            Demand(CODE, model="large"),
            Skipped("a", "does not offer model large", True),
        ),
        (
            state("a", model=""),
            Demand(CODE),
            Skipped("a", "has no model to ask for: name one in the task, in a rule or as its default", True),
        ),
    ],
)
@pytest.mark.parametrize("way", ["rule", "default", "name"])
def test_a_service_that_cannot_be_asked_is_skipped_with_the_reason(
    way: str, service: ServiceState, demand: Demand, skip: Skipped
) -> None:
    if way == "rule":
        decision = decide(demand, [service], [Rule("r", CODE, "a")])
    elif way == "default":
        decision = decide(demand, [service], default=["a"])
    else:
        named = Demand(demand.task_type, "a", demand.model, demand.features)
        decision = decide(named, [service])

    assert decision == Decision((), (skip,))


def test_what_waiting_does_not_mend_is_told_before_what_it_does() -> None:
    service = state("a", obstacle="resting until 12:05")

    decision = decide(Demand(CODE, features=frozenset({Feature.IMAGES})), [service], default=["a"])

    assert decision.skipped == (Skipped("a", "cannot take images", True),)


def test_a_rules_own_model_that_is_not_offered_is_not_the_requests_fault() -> None:
    service = state("a", listed_models=frozenset({"small"}))

    decision = decide(Demand(CODE), [service], [Rule("r", CODE, "a", "large")])

    assert decision.skipped == (Skipped("a", "does not offer model large", False),)


def test_a_service_whose_rule_does_not_fit_still_has_its_place_in_the_default_order() -> None:
    service = state("a", listed_models=frozenset({"small"}))

    decision = decide(Demand(CODE), [service], [Rule("r", CODE, "a", "large")], ["a"])

    assert decision == Decision((Candidate("a", "a-model", "default order, place 1"),), ())


@pytest.mark.parametrize("kind", ["cli", "builtin"])
def test_only_http_services_need_a_model(kind: str) -> None:
    decision = decide(Demand(CODE, "a"), [state("a", type=kind, model="")])

    assert decision.candidates == (Candidate("a", "", "asked for by name"),)


def test_capabilities_bind_the_default_order_but_not_rules_nor_names() -> None:
    service = state("a", capabilities=frozenset({"chat"}))

    assert names(decide(Demand(CHAT), [service], default=["a"])) == ["a"]
    assert names(decide(Demand(CODE), [service], [Rule("r", CODE, "a")])) == ["a"]
    assert names(decide(Demand(CODE, "a"), [service])) == ["a"]
    assert decide(Demand(CODE), [service], default=["a"]).skipped == (
        Skipped("a", "is not declared to be good at code_generation"),
    )


@pytest.mark.parametrize("way", ["rule", "default", "none"])
def test_a_built_in_service_answers_only_when_it_is_named(way: str) -> None:
    echo = state("echo", type="builtin", model="")
    rules = [Rule("r", CODE, "echo")] if way == "rule" else []
    default = ["echo"] if way == "default" else []

    decision = decide(Demand(CODE), [echo], rules, default)

    assert decision == Decision((), (Skipped("echo", "is built in and answers only when it is named", aside=True),))
    assert names(decide(Demand(CODE, "echo"), [echo], rules, default)) == ["echo"]


@pytest.mark.parametrize("anyone", ["", "auto"])
def test_a_model_asked_for_goes_to_whoever_offers_it_in_place_of_the_rules_own(anyone: str) -> None:
    services = [
        state("a", listed_models=frozenset({"big"})),
        state("b", allowed_models=frozenset({"tiny"})),
        state("c"),
    ]
    rules = [Rule("r1", CODE, "a", "a-model", priority=1), Rule("r2", CODE, "a", "other", priority=2)]

    decision = decide(Demand(CODE, anyone, "big"), services, rules, ["b", "c"])

    assert [(candidate.service, candidate.model) for candidate in decision.candidates] == [("a", "big"), ("c", "big")]
    assert decision.skipped == (Skipped("b", "does not offer model big", True),)


def test_a_named_service_is_the_only_candidate_and_the_others_are_not_mentioned() -> None:
    decision = decide(Demand(CODE, "b"), [state("a"), state("b"), state("c", enabled=False)], default=["a", "b"])

    assert decision == Decision((Candidate("b", "b-model", "asked for by name"),), ())


def test_a_named_service_uses_the_model_of_its_rule_for_the_type() -> None:
    service = state("a", listed_models=frozenset({"good", "better"}))
    rules = [
        Rule("gone", CODE, "a", "withdrawn", priority=1),
        Rule("none", CODE, "a", priority=2),
        Rule("r", CODE, "a", "good", priority=3),
        Rule("late", CODE, "a", "better", priority=4),
        Rule("other", CHAT, "a", "better", priority=1),
        Rule("neighbour", CODE, "b", "better", priority=1),
    ]
    services = [service, state("b")]

    assert decide(Demand(CODE, "a"), services, rules).candidates == (
        Candidate("a", "good", "asked for by name, model of rule r", "r"),
    )
    assert decide(Demand(CODE, "a", "better"), services, rules).candidates == (
        Candidate("a", "better", "asked for by name"),
    )
    assert decide(Demand(TaskType.ANALYSIS, "a"), services, rules).candidates == (
        Candidate("a", "a-model", "asked for by name"),
    )


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownServiceError) as caught:
        decide(Demand(CODE, "opnerouter"), [state("openrouter"), state("ollama")])

    assert caught.value.name == "opnerouter"
    assert caught.value.known == ("ollama", "openrouter")
    assert "ollama, openrouter" in str(caught.value)
    assert '"auto"' in str(caught.value)


def test_an_unknown_name_without_any_service_says_where_to_add_one() -> None:
    with pytest.raises(UnknownServiceError, match="add one in the admin"):
        decide(Demand(CODE, "x"), [])


def test_a_rule_for_a_service_that_is_gone_is_told_and_does_no_harm() -> None:
    decision = decide(Demand(CODE), [state("a")], [Rule("r", CODE, "gone")], ["gone", "a"])

    assert names(decision) == ["a"]
    assert reasons(decision) == {"gone": "is named by a rule, but no longer there"}


def test_every_service_is_either_a_candidate_or_skipped_exactly_once() -> None:
    rng = random.Random(11)
    for _ in range(300):
        services = [_some_state(rng, f"s{number}") for number in range(7)]
        picks = [service.config.name for service in services]
        rules = [
            Rule(
                f"r{number}",
                rng.choice([CODE, CHAT]),
                rng.choice(picks),
                rng.choice(["", "m1", "m2"]),
                rng.randint(1, 3),
            )
            for number in range(8)
        ]
        features = frozenset(rng.sample(list(Feature), rng.randint(0, 1)))
        demand = Demand(CODE, model=rng.choice(["", "", "m1"]), features=features)

        decision = decide(demand, services, rules, rng.sample(picks, 4), seed=rng.randint(0, 99))

        pairs = [(candidate.service, candidate.model) for candidate in decision.candidates]
        skipped = [skip.service for skip in decision.skipped]
        assert len(set(pairs)) == len(pairs)
        assert sorted({*names(decision)} | {*skipped}) == picks
        assert len(skipped) == len(set(skipped))
        assert not {*names(decision)} & {*skipped}
        assert all(skip.reason for skip in decision.skipped)


def _some_state(rng: random.Random, name: str) -> ServiceState:
    return state(
        name,
        type=rng.choice(["http", "http", "http", "cli", "builtin"]),
        enabled=rng.random() < 0.8,
        model=rng.choice(["", "m1", "m3"]),
        capabilities=rng.choice([frozenset(), frozenset({"chat"})]),
        allowed_models=rng.choice([frozenset(), frozenset(), frozenset({"m2"})]),
        listed_models=rng.choice([frozenset(), frozenset({"m1"})]),
        features=rng.choice([frozenset(), frozenset(Feature)]),
        obstacle=rng.choice(["", "", "resting"]),
    )


def test_a_rulebook_keeps_rules_by_type_in_order_and_a_default_without_repetition() -> None:
    rulebook = Rulebook.of(
        [Rule("b", CODE, "x", priority=2), Rule("c", CODE, "x", priority=1), Rule("a", CODE, "x", priority=2)],
        ["x", "y", "x"],
    )

    assert [rule.id for rule in rulebook.rules[CODE]] == ["c", "a", "b"]
    assert CHAT not in rulebook.rules
    assert rulebook.default == ("x", "y")
