"""The file that is shipped is what most people start with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.apply import apply
from config.reading import read
from config.schema import Declaration
from routing.models import RoutingRule
from routing.task_types import TaskType
from services.adapters.base import Usage
from services.models import Service
from services.prices import CostBasis, PriceOverride, cost_of

PATH = Path(__file__).resolve().parent.parent.parent / "config" / "default.yaml"
KEYS = {
    "openrouter": "OPENROUTER_API_KEY",
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
LOCAL = {"ollama_local": "http://localhost:11434", "lmstudio": "http://localhost:1234/v1"}


@pytest.fixture(scope="module")
def shipped() -> Declaration:
    return read(PATH)


def test_it_declares_six_providers_and_one_for_a_first_try(shipped: Declaration) -> None:
    assert set(shipped.services) == {*LOCAL, *KEYS, "echo"}
    assert shipped.services["echo"].type is Service.Type.BUILTIN


def test_it_names_keys_and_holds_none(shipped: Declaration) -> None:
    assert {name: entry.api_key_env for name, entry in shipped.services.items() if entry.api_key_env} == KEYS
    assert not any(entry.api_key for entry in shipped.services.values())


@pytest.mark.parametrize(("name", "base_url"), LOCAL.items())
def test_local_models_cost_nothing(shipped: Declaration, name: str, base_url: str) -> None:
    entry = shipped.services[name]
    assert entry.base_url == base_url
    assert entry.price is not None
    price = PriceOverride(entry.price.input_per_million, entry.price.output_per_million)
    assert cost_of(Usage(1000, 1000), model=entry.model, base_url=base_url, override=price).nanodollars == 0


@pytest.mark.parametrize("name", KEYS)
def test_the_default_model_of_a_paid_service_has_a_price(shipped: Declaration, name: str) -> None:
    entry = shipped.services[name]
    assert entry.base_url is not None
    cost = cost_of(Usage(1000, 1000), model=entry.model, base_url=entry.base_url)
    assert cost.basis is CostBasis.COMPUTED
    assert cost.nanodollars


def test_every_model_that_a_rule_names_has_a_price(shipped: Declaration) -> None:
    for rule in shipped.routing.rules:
        if rule.model:
            base_url = shipped.services[rule.service].base_url
            assert base_url is not None
            assert cost_of(Usage(1000, 1000), model=rule.model, base_url=base_url).nanodollars, rule.id


@pytest.mark.parametrize("task_type", TaskType)
def test_every_task_type_has_two_candidates(shipped: Declaration, task_type: TaskType) -> None:
    rules = [rule for rule in shipped.routing.rules if rule.task_type is task_type]
    assert len({rule.service for rule in rules}) == 2
    assert len({rule.priority for rule in rules}) == 2


def test_the_first_rule_sends_code_to_openrouter(shipped: Declaration) -> None:
    rule = shipped.routing.rules[0]
    assert (rule.id, rule.task_type, rule.service) == ("rule-1", "code_generation", "openrouter")
    assert (rule.model, rule.priority) == ("anthropic/claude-sonnet-5.5", 1)
    assert shipped.services["ollama_local"].model == "llama2"


def test_every_provider_is_in_the_default_order_and_the_echo_is_not(shipped: Declaration) -> None:
    assert set(shipped.routing.default) == {*LOCAL, *KEYS}
    assert shipped.routing.default[0] == "ollama_local"


def test_nothing_is_open_by_default(shipped: Declaration) -> None:
    assert not shipped.security.auth_enabled
    assert shipped.security.allowed_hosts == ["localhost", "127.0.0.1"]
    assert shipped.security.cors_origins == []


def test_the_program_in_the_comments_is_a_valid_one(declare: Callable[[str], Declaration]) -> None:
    lines = PATH.read_text(encoding="utf-8").splitlines()
    start = lines.index("  # my_tool:")
    end = next(index for index in range(start, len(lines)) if not lines[index].startswith("  #"))
    example = "\n".join(line.replace("  # ", "  ", 1) for line in lines[start:end])
    assert declare(f"services:\n{example}\n").services["my_tool"].type is Service.Type.CLI


@pytest.mark.django_db
def test_it_can_be_imported_and_every_row_is_a_valid_one(shipped: Declaration) -> None:
    apply(shipped)
    for row in (*Service.objects.all(), *RoutingRule.objects.all()):
        row.full_clean()
    assert not apply(shipped)
