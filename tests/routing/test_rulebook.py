from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from routing import rulebook
from routing.engine import Rule
from routing.models import DefaultRoute, RoutingRule
from routing.task_types import TaskType
from services.models import Service
from snapshots.models import Revision

Add = Callable[..., Any]

pytestmark = pytest.mark.django_db(transaction=True)


def rule_ids(task_type: TaskType = TaskType.TRANSLATION) -> list[str]:
    return [rule.id for rule in rulebook.current().rules.get(task_type, ())]


def test_an_empty_database_gives_an_empty_rulebook() -> None:
    assert rulebook.current().rules == {}
    assert rulebook.current().default == ()


def test_it_holds_the_enabled_rules_in_their_order(add_service: Add, add_rule: Add) -> None:
    service = add_service("local")
    add_rule("late", service, priority=9)
    add_rule("off", service, priority=1, enabled=False)
    add_rule("early", service, priority=2, model="large", weight=3)
    add_rule("elsewhere", service, task_type="chat")

    assert rulebook.current().rules[TaskType.TRANSLATION] == (
        Rule("early", TaskType.TRANSLATION, "local", "large", 2, 3),
        Rule("late", TaskType.TRANSLATION, "local", "", 9, 1),
    )
    assert rule_ids(TaskType.CHAT) == ["elsewhere"]


def test_it_holds_the_default_order(add_service: Add, add_default: Add) -> None:
    add_default(add_service("second"), 2)
    add_default(add_service("first"), 1)

    assert rulebook.current().default == ("first", "second")


def test_a_rule_is_in_force_as_soon_as_it_is_saved_and_until_it_is_deleted(add_service: Add, add_rule: Add) -> None:
    service = add_service("local")
    assert rule_ids() == []

    rule = add_rule("new", service)
    assert rule_ids() == ["new"]

    rule.enabled = False
    rule.save()
    assert rule_ids() == []

    rule.enabled = True
    rule.save()
    rule.delete()
    assert rule_ids() == []


def test_rules_deleted_in_bulk_are_gone_at_once(add_service: Add, add_rule: Add) -> None:
    service = add_service("local")
    add_rule("a", service)
    add_rule("b", service)
    assert rule_ids() == ["a", "b"]

    RoutingRule.objects.filter(id__in=["a", "b"]).delete()
    assert rule_ids() == []


def test_the_default_order_follows_its_rows(add_service: Add, add_default: Add) -> None:
    route = add_default(add_service("first"), 1)
    add_default(add_service("second"), 2)
    assert rulebook.current().default == ("first", "second")

    route.position = 3
    route.save()
    assert rulebook.current().default == ("second", "first")

    DefaultRoute.objects.all().delete()
    assert rulebook.current().default == ()


def test_a_renamed_service_is_renamed_in_its_rules(add_service: Add, add_rule: Add, add_default: Add) -> None:
    service = add_service("old")
    add_rule("r", service)
    add_default(service, 1)
    assert rulebook.current().default == ("old",)

    service.name = "new"
    service.save()

    assert rulebook.current().default == ("new",)
    assert rulebook.current().rules[TaskType.TRANSLATION][0].service == "new"


def test_a_deleted_service_takes_its_rules_along(add_service: Add, add_rule: Add, add_default: Add) -> None:
    service = add_service("local")
    add_rule("r", service)
    add_default(service, 1)
    assert rule_ids() == ["r"]

    Service.objects.all().delete()

    assert rule_ids() == []
    assert rulebook.current().default == ()


def test_a_change_that_is_rolled_back_is_never_in_force(add_service: Add, add_rule: Add) -> None:
    service = add_service("local")
    with transaction.atomic():
        add_rule("r", service)
        transaction.set_rollback(True)

    assert rule_ids() == []


def test_a_change_is_told_to_the_other_processes(add_service: Add, add_rule: Add) -> None:
    before = Revision.numbers().get("routing", 0)
    add_rule("r", add_service("local"))

    assert Revision.numbers()["routing"] > before


def test_it_is_read_from_memory_and_loaded_with_few_queries(
    add_service: Add, add_rule: Add, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        add_rule(f"r{number}", add_service(f"s{number}"))

    with django_assert_num_queries(3):
        rulebook.rulebook.reload()
    with django_assert_num_queries(0):
        assert len(rule_ids()) == 5
