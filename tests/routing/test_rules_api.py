"""/api/routing/rules/"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from routing.models import DefaultRoute, RoutingRule
from services.models import Service

pytestmark = pytest.mark.django_db(transaction=True)
RULES = "/api/routing/rules/"


@pytest.fixture
def openrouter(add_service: Callable[..., Service]) -> Service:
    return add_service("openrouter")


def body(**change: Any) -> dict[str, Any]:
    return {
        "task_type": "code_generation",
        "service": "openrouter",
        "model": "anthropic/claude-3.5-sonnet",
        "priority": 1,
        **change,
    }


def test_a_rule_is_made_and_listed_in_the_shape_of_the_contract(client: APIClient, openrouter: Service) -> None:
    made = client.post(RULES, body(), format="json")
    assert made.status_code == 201
    (rule,) = client.get(RULES).json()["rules"]
    assert rule == made.json()
    assert isinstance(rule["id"], str)
    assert rule.items() >= body().items()


def test_the_list_names_the_default_order(
    client: APIClient, add_service: Callable[..., Service], add_default: Callable[..., DefaultRoute]
) -> None:
    assert client.get(RULES).json() == {"rules": [], "default": []}
    add_default(add_service("later"), 2)
    add_default(add_service("sooner"), 1)
    assert client.get(RULES).json()["default"] == ["sooner", "later"]


def test_a_rule_may_bring_its_own_id(client: APIClient, openrouter: Service) -> None:
    assert client.post(RULES, body(id="rule-1"), format="json").json()["id"] == "rule-1"
    again = client.post(RULES, body(id="rule-1"), format="json")
    assert (again.status_code, again.json()["code"]) == (400, "VALIDATION_ERROR")
    assert RoutingRule.objects.count() == 1


def test_a_rule_is_read_changed_and_removed(client: APIClient, openrouter: Service) -> None:
    address = f"{RULES}{client.post(RULES, body(), format='json').json()['id']}/"
    assert client.get(address).json()["priority"] == 1
    assert client.patch(address, {"priority": 5, "enabled": False}, format="json").json()["priority"] == 5
    assert client.put(address, body(weight=3), format="json").json()["weight"] == 3
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"task_type": "poetry"}, "question_answer, summarization"),
        ({"service": "nobody"}, "Known: openrouter."),
        ({"service": 5}, "service"),
        ({"service": "echo"}, "service"),
        ({"priority": -1}, "priority"),
        ({"priority": "first"}, "priority"),
        ({"weight": 10**12}, "weight"),
        ({"id": "has space"}, "id"),
        ({"model": "x" * 201}, "model"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"prioritty": 1}, "prioritty"),
    ],
)
def test_a_rule_with_a_mistake_is_refused_by_the_fields_name(
    client: APIClient, openrouter: Service, change: dict[str, Any], named: str
) -> None:
    Service.objects.create(name="echo", type="builtin")
    answer = client.post(RULES, body(**change), format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert named in answer.json()["detail"]
    assert not RoutingRule.objects.exists()


def test_the_id_of_a_rule_does_not_change(client: APIClient, openrouter: Service) -> None:
    client.post(RULES, body(id="rule-1"), format="json")
    assert client.patch(f"{RULES}rule-1/", {"id": "rule-2"}, format="json").status_code == 400


@pytest.mark.parametrize("content", ["[]", "5", "null", '"rule"'])
def test_what_is_no_object_is_refused(client: APIClient, openrouter: Service, content: str) -> None:
    answer = client.post(RULES, content, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
