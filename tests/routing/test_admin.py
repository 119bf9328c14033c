from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from routing import rulebook
from routing.models import RoutingRule
from routing.task_types import TaskType

Add = Callable[..., Any]

pytestmark = pytest.mark.django_db(transaction=True)

RULES = "/admin/routing/routingrule/"
DEFAULTS = "/admin/routing/defaultroute/"


def rules() -> list[tuple[str, int, int]]:
    in_force = rulebook.current().rules.get(TaskType.TRANSLATION, ())
    return [(rule.id, rule.priority, rule.weight) for rule in in_force]


def rule_form(*rows: RoutingRule) -> dict[str, object]:
    """What the list sends when it is saved, with the rows' present values."""
    form: dict[str, object] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": len(rows), "_save": "Save"}
    for number, row in enumerate(rows):
        form |= {f"form-{number}-{name}": getattr(row, name) for name in ("id", "priority", "weight")}
        form |= {f"form-{number}-enabled": "on"} if row.enabled else {}
    return form


def test_a_priority_edited_in_the_list_is_in_force_at_once(
    admin_client: Client, add_service: Add, add_rule: Add
) -> None:
    service = add_service("local")
    first, second = add_rule("a", service, priority=1), add_rule("b", service, priority=2)
    assert rules() == [("a", 1, 1), ("b", 2, 1)]

    form = rule_form(first, second) | {"form-0-priority": 5, "form-1-weight": 7}
    assert admin_client.post(RULES, form).status_code == 302

    assert rules() == [("b", 2, 7), ("a", 5, 1)]


def test_a_rule_switched_off_in_the_list_is_out_of_force_at_once(
    admin_client: Client, add_service: Add, add_rule: Add
) -> None:
    rule = add_rule("a", add_service("local"))
    assert len(rules()) == 1

    form = rule_form(rule)
    del form["form-0-enabled"]
    assert admin_client.post(RULES, form).status_code == 302

    assert rules() == []


def test_a_rule_added_by_hand_gets_an_id_and_is_in_force(admin_client: Client, add_service: Add) -> None:
    page = admin_client.get(f"{RULES}add/").content.decode()
    suggested = page.split('name="id" value="')[1].split('"')[0]
    assert suggested.startswith("rule-")

    form = {"id": suggested, "task_type": "translation", "service": add_service("local").pk, "priority": 3, "weight": 1}
    assert admin_client.post(f"{RULES}add/", form | {"enabled": "on"}).status_code == 302

    assert rules() == [(suggested, 3, 1)]


def test_editing_a_rule_cannot_make_a_second_one_of_it(admin_client: Client, add_service: Add, add_rule: Add) -> None:
    service = add_service("local")
    add_rule("a", service, priority=1)

    form = {"id": "b", "task_type": "translation", "service": service.pk, "priority": 4, "weight": 1, "enabled": "on"}
    assert admin_client.post(f"{RULES}a/change/", form).status_code == 302

    assert rules() == [("a", 4, 1)]


def test_rules_deleted_with_the_list_action_are_out_of_force_at_once(
    admin_client: Client, add_service: Add, add_rule: Add
) -> None:
    service = add_service("local")
    for rule_id in ("a", "b", "c"):
        add_rule(rule_id, service)
    assert len(rules()) == 3

    form = {"action": "delete_selected", "_selected_action": ["a", "b"], "post": "yes"}
    assert admin_client.post(RULES, form).status_code == 302

    assert [rule_id for rule_id, *_ in rules()] == ["c"]


def act(client: Client, action: str, *rule_ids: str) -> list[tuple[str, str]]:
    answer = client.post(RULES, {"action": action, "_selected_action": rule_ids}, follow=True)
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


def test_a_copy_of_a_rule_is_made_in_the_list_and_not_in_force(
    admin_client: Client, add_service: Add, add_rule: Add
) -> None:
    add_rule("a", add_service("local"), priority=3, model="alpha", note="agreed")
    ((level, text),) = act(admin_client, "duplicate", "a")
    copy = RoutingRule.objects.exclude(id="a").get()
    assert (level, text.split(",")[0]) == ("success", f"Rule a was copied as {copy.id}")
    assert (copy.priority, copy.model, copy.note, copy.enabled) == (3, "alpha", "agreed", False)
    assert [rule_id for rule_id, *_ in rules()] == ["a"]


def test_rules_are_switched_from_the_list_and_each_says_what_came_of_it(
    admin_client: Client, add_service: Add, add_rule: Add
) -> None:
    service = add_service("local")
    add_rule("a", service)
    add_rule("b", service, enabled=False)
    assert act(admin_client, "switch_off", "a", "b") == [
        ("success", "Rule a is switched off: that holds from the next task on."),
        ("info", "Rule b was off already."),
    ]
    assert rules() == []
    act(admin_client, "switch_on", "b")
    assert [rule_id for rule_id, *_ in rules()] == ["b"]


def test_the_lists_tell_which_rules_and_places_lead_anywhere(
    admin_client: Client, add_service: Add, add_rule: Add, add_default: Add
) -> None:
    well, off, poor = add_service("well"), add_service("off", enabled=False), add_service("poor", api_key_env="NO_KEY")
    for number, service in enumerate((well, off, poor)):
        add_rule(f"r{number}", service)
        add_default(service, number)
    add_rule("r3", well, enabled=False)
    shown = admin_client.get(RULES).content.decode()
    for words in ("in force", "passed over: its service is switched off", "passed over: its service has no API key"):
        assert f">{words}" in shown
    assert '<span class="badge badge-quiet">switched off</span>' in shown
    assert ">can be asked<" in admin_client.get(DEFAULTS).content.decode()


def test_the_default_order_is_edited_in_its_list(admin_client: Client, add_service: Add, add_default: Add) -> None:
    first, second = add_default(add_service("one"), 1), add_default(add_service("two"), 2)
    assert rulebook.current().default == ("one", "two")

    form = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2, "_save": "Save"}
    form |= {"form-0-id": first.pk, "form-0-position": 8, "form-1-id": second.pk, "form-1-position": 2}
    assert admin_client.post(DEFAULTS, form).status_code == 302

    assert rulebook.current().default == ("two", "one")


def test_rules_are_found_by_service_model_and_note(admin_client: Client, add_service: Add, add_rule: Add) -> None:
    add_rule("a", add_service("ollama_local"))
    add_rule("b", add_service("openrouter"), model="claude", note="agreed in spring")

    for words, found in {"ollama": ["a"], "claude": ["b"], "spring": ["b"], "nothing": []}.items():
        page = admin_client.get(RULES, {"q": words})
        assert [row.id for row in page.context["cl"].result_list] == found


@pytest.mark.parametrize("address", [RULES, DEFAULTS])
def test_a_longer_list_takes_no_more_queries(
    address: str, admin_client: Client, add_service: Add, add_rule: Add, add_default: Add
) -> None:
    def add(number: int) -> None:
        service = add_service(f"s{number}")
        add_rule(f"r{number}", service)
        add_default(service, number)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert "s0" in admin_client.get(address).content.decode()
        return len(captured)

    add(0)
    admin_client.get(address)
    few = queries()
    for number in range(1, 12):
        add(number)

    assert queries() == few
