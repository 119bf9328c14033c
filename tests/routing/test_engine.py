from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import pytest

from routing.engine import Candidate, Decision, Demand, Rule, Rulebook, Skipped, UnknownServiceError, choose
from routing.task_types import TaskType
from services.adapters.base import Feature
from services.config import ServiceConfig, ServiceState

CODE = TaskType.CODE_GENERATION
CHAT = TaskType.CHAT


def state(name: str, **fields: object) -> ServiceState:
    """A healthy HTTP service with the default model "<name>-model"; fields of the state or of its configuration."""
    about = {key: fields.pop(key) for key in ("exclusion", "obstacle", "listed_models", "features") if key in fields}
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
        (state("a", exclusion="has no API key"), Demand(CODE), Skipped("a", "has no API key")),
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
            Skipped("a", "does not offer model large: it is not among its models", True),
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


def test_what_the_request_rules_out_is_told_before_a_missing_key() -> None:
    service = state("a", exclusion="has no API key")

    decision = decide(Demand(CODE, features=frozenset({Feature.IMAGES})), [service], default=["a"])

    assert decision.skipped == (Skipped("a", "cannot take images", True),)


def test_a_rules_own_model_that_is_not_allowed_is_not_the_requests_fault() -> None:
    service = state("a", allowed_models=frozenset({"small"}))

    decision = decide(Demand(CODE), [service], [Rule("r", CODE, "a", "large")])

    assert decision.skipped == (Skipped("a", "does not offer model large: it is not among its models", False),)


def test_a_service_whose_rule_does_not_fit_still_has_its_place_in_the_default_order() -> None:
    service = state("a", model="small", allowed_models=frozenset({"small"}))

    decision = decide(Demand(CODE), [service], [Rule("r", CODE, "a", "large")], ["a"])

    assert decision == Decision((Candidate("a", "small", "default order, place 1"),), ())


def test_the_model_of_a_rule_is_asked_for_although_the_server_does_not_list_it() -> None:
    service = state("a", listed_models=frozenset({"small"}))

    decision = decide(Demand(CODE), [service], [Rule("r", CODE, "a", "my-fine-tune")])

    assert decision.candidates == (Candidate("a", "my-fine-tune", "rule r: priority 100 for code_generation", "r"),)


def test_services_in_a_bad_state_follow_all_others_in_their_usual_order() -> None:
    services = [state("a", obstacle="is ill"), state("b"), state("c", obstacle="is tired"), state("d")]

    decision = decide(Demand(CODE), services, [Rule("r", CODE, "a")], ["b", "c", "d"])

    assert [(each.service, each.demoted) for each in decision.candidates] == [
        ("b", False),
        ("d", False),
        ("a", True),
        ("c", True),
    ]
    assert decision.candidates[2].reason == "rule r: priority 100 for code_generation; last resort: a is ill"
    assert decision.written()["candidates"][2]["demoted"] is True


@pytest.mark.parametrize("demand", [Demand(CODE, "a"), Demand(CODE, "a", "large")])
def test_a_service_that_is_named_is_called_whatever_its_state(demand: Demand) -> None:
    service = state("a", obstacle="is ill", listed_models=frozenset({"small"}))

    decision = decide(demand, [service, state("b")], default=["b"])

    assert [(each.service, each.demoted) for each in decision.candidates] == [("a", True)]
    assert decision.candidates[0].reason == "asked for by name; last resort: a is ill"


def test_a_model_goes_first_to_services_that_list_it_then_to_unknown_lists_and_last_to_the_others() -> None:
    services = [
        state("others", listed_models=frozenset({"tiny"})),
        state("silent"),
        state("ill", obstacle="is ill", listed_models=frozenset({"big"})),
        state("has", listed_models=frozenset({"big"})),
    ]

    decision = decide(Demand(CODE, model="big"), services, default=["others", "silent", "ill", "has"])

    assert [(each.service, each.demoted) for each in decision.candidates] == [
        ("has", False),
        ("silent", False),
        ("ill", True),
        ("others", True),
    ]
    assert decision.candidates[-1].reason.endswith("; last resort: others does not list model big")


def test_a_model_that_no_service_lists_goes_to_them_in_their_usual_order() -> None:
    listed = frozenset({"tiny"})

    decision = decide(
        Demand(CODE, model="big"),
        [state("a", listed_models=listed), state("b", listed_models=listed)],
        default=["b", "a"],
    )

    assert [(each.service, each.demoted) for each in decision.candidates] == [("b", False), ("a", False)]


@pytest.mark.parametrize(
    ("default", "order"),
    [(["has"], ["has", "aside"]), (["silent"], ["aside", "silent"]), (["lacks"], ["aside", "lacks"]), ([], ["aside"])],
)
def test_services_outside_the_order_are_called_for_a_model_that_they_have(default: list[str], order: list[str]) -> None:
    services = [
        state("has", listed_models=frozenset({"big"}), enabled="has" in default),
        state("lacks", listed_models=frozenset({"tiny"})),
        state("silent"),
        state("aside", listed_models=frozenset({"big"})),
    ]

    assert names(decide(Demand(CODE, model="big"), services, default=default)) == order


def test_where_nobody_is_known_to_have_a_model_services_outside_the_order_may_have_it() -> None:
    lacks, silent = state("lacks", listed_models=frozenset({"tiny"})), state("silent")

    assert names(decide(Demand(CODE, model="big"), [lacks, silent], default=["lacks"])) == ["silent", "lacks"]
    assert names(decide(Demand(CODE, model="big"), [lacks])) == ["lacks"]
    assert names(decide(Demand(CODE), [lacks, silent])) == []


def test_a_program_without_a_place_for_the_model_follows_those_that_may_have_it() -> None:
    program = state("program", type="cli", api="", model="", command=("summarize",))
    any_model = state("any", type="cli", api="", model="", command=("llm", "-m", "{model}"))

    decision = decide(Demand(CODE, model="big"), [program, any_model, state("silent")], default=["program", "any"])

    assert [(each.service, each.demoted) for each in decision.candidates] == [("any", False), ("program", True)]
    assert names(decide(Demand(CODE, model="big"), [program, state("silent")])) == ["silent"]
    assert names(decide(Demand(CODE, model="big"), [program])) == []


def test_only_an_allow_list_excludes_a_service_for_a_model() -> None:
    services = [state("open", listed_models=frozenset({"tiny"})), state("strict", allowed_models=frozenset({"tiny"}))]

    decision = decide(Demand(CODE, model="big"), services, default=["open", "strict"])

    assert names(decision) == ["open"]
    assert reasons(decision) == {"strict": "does not offer model big: it is not among its models"}


def test_a_long_list_is_not_read_through_for_every_request() -> None:
    compared = []

    class Name(str):
        __slots__ = ()

        def startswith(self, *given: Any) -> bool:
            compared.append(self)
            return super().startswith(*given)

    listing = state("a", listed_models=frozenset(Name(f"model-{i}") for i in range(300)))
    assert listing.lacks("another")
    assert not listing.lacks("model-29:latest")
    assert len(compared) <= 2


@pytest.mark.parametrize("variant", ["big:nitro", "big"])
def test_a_variant_of_a_listed_model_counts_as_listed(variant: str) -> None:
    assert not state("a", listed_models=frozenset({"big:latest"})).lacks(variant)
    assert state("a", listed_models=frozenset({"big:latest"})).lacks("large")


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
    assert decision.skipped == (Skipped("b", "does not offer model big: it is not among its models", True),)


def test_a_named_service_is_the_only_candidate_and_the_others_are_not_mentioned() -> None:
    decision = decide(Demand(CODE, "b"), [state("a"), state("b"), state("c", enabled=False)], default=["a", "b"])

    assert decision == Decision((Candidate("b", "b-model", "asked for by name"),), ())


def test_a_named_service_uses_the_model_of_its_rule_for_the_type() -> None:
    service = state("a", allowed_models=frozenset({"a-model", "good", "better"}))
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
        assert sorted(decision.candidates, key=attrgetter("demoted")) == list(decision.candidates)
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
        exclusion=rng.choice(["", "", "has no API key"]),
    )


def test_a_rulebook_keeps_rules_by_type_in_order_and_a_default_without_repetition() -> None:
    rulebook = Rulebook.of(
        [Rule("b", CODE, "x", priority=2), Rule("c", CODE, "x", priority=1), Rule("a", CODE, "x", priority=2)],
        ["x", "y", "x"],
    )

    assert [rule.id for rule in rulebook.rules[CODE]] == ["c", "a", "b"]
    assert CHAT not in rulebook.rules
    assert rulebook.default == ("x", "y")
