"""What the reference says of each field is true of the schema."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from config import reference
from config.schema import (
    Declaration,
    HealthEntry,
    Price,
    RateLimits,
    RoutingEntry,
    RuleEntry,
    SecurityEntry,
    ServiceEntry,
)
from services.adapters import network

MODELS = (Declaration, ServiceEntry, HealthEntry, Price, RoutingEntry, RuleEntry, SecurityEntry, RateLimits)
FIELDS = [(model, name) for model in MODELS for name in model.model_fields]
EXAMPLES = [(model, name) for model, name in FIELDS if model.model_fields[name].examples]


@pytest.fixture(autouse=True)
def certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file of the example be there."""
    monkeypatch.setattr(network, "ca_file_problem", lambda _: "")


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_each_field_is_described(model: type[BaseModel], name: str) -> None:
    description = model.model_fields[name].description
    assert description
    assert f"| `{name}` |" in reference.tables()
    assert description in reference.tables()


@pytest.mark.parametrize(("model", "name"), EXAMPLES)
def test_each_example_is_a_value_that_may_stand_there(model: type[BaseModel], name: str) -> None:
    field = model.model_fields[name]
    kind: Any = field.annotation
    for example in field.examples or []:
        assert TypeAdapter(kind).validate_python(example) is not None


def test_the_examples_of_a_service_together_are_one() -> None:
    fields = {name: (field.examples or [None])[0] for name, field in ServiceEntry.model_fields.items()}
    rule = {name: (field.examples or [None])[0] for name, field in RuleEntry.model_fields.items()}
    del fields["command"]  # belongs to another type
    content = {"services": {"openrouter": fields}, "routing": {"rules": [rule]}}
    assert Declaration.checked(content).services["openrouter"].enabled is False


def test_limits_and_defaults_are_told() -> None:
    (row,) = (row for row in reference.tables().splitlines() if row.startswith("| `timeout_seconds` "))
    assert row.startswith("| `timeout_seconds` | number | 0.1 to 86400 | `120` |")
