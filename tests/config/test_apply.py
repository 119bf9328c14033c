from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models.signals import post_delete, post_save
from pytest_django import Settings

from apikeys import keyring
from apikeys.models import SecurityPolicy
from config.apply import Changes, apply, seed_if_new
from config.presentation import configuration
from config.problems import ConfigInvalidError
from config.reading import read
from config.schema import Declaration
from routing.models import DefaultRoute, RoutingRule
from services.adapters.base import Probe
from services.config import HealthSettings
from services.models import Service
from services.prices import PriceOverride
from snapshots.models import Revision

pytestmark = pytest.mark.django_db

TWO = """
services:
  local: {type: http, api: ollama, base_url: http://localhost:11434, model: llama2}
  cloud:
    type: http
    api: openai
    base_url: https://cloud.example/v1
    api_key_env: CLOUD_KEY
    models: [small, large]
    capabilities: [chat, analysis]
    timeout_seconds: 30
    max_concurrency: 4
    max_retries: 0
    health: {path: /health, method: HEAD, interval: 90}
    price: {input_per_million: 0.15, output_per_million: 3}
routing:
  rules:
    - {id: rule-1, task_type: chat, service: cloud, model: small, priority: 1, weight: 2, note: cheap}
    - {id: rule-2, task_type: chat, service: local}
  default: [cloud, local]
"""
NOTHING = "services: {}\n"
LOCAL = "services:\n  local: {type: http, api: ollama, base_url: http://localhost:11434}\n"


@pytest.fixture
def load(declare: Callable[[str], Declaration]) -> Callable[[str], Changes]:
    return lambda text: apply(declare(text))


@pytest.fixture
def saves() -> Iterator[list[str]]:
    """What has been saved or deleted while the test ran."""
    seen: list[str] = []

    def note(instance: object, **kwargs: object) -> None:
        seen.append(str(instance))

    for model in (Service, RoutingRule, DefaultRoute):
        post_save.connect(note, sender=model)
        post_delete.connect(note, sender=model)
    yield seen
    for model in (Service, RoutingRule, DefaultRoute):
        post_save.disconnect(note, sender=model)
        post_delete.disconnect(note, sender=model)


def default_order() -> list[str]:
    return list(DefaultRoute.objects.values_list("service__name", flat=True))


def test_an_empty_database_is_filled(load: Callable[[str], Changes]) -> None:
    changes = load(TWO)
    assert changes.services.added == ("local", "cloud")
    assert changes.rules.added == ("rule-1", "rule-2")
    assert changes.default_changed
    cloud = Service.objects.get(name="cloud")
    assert (cloud.type, cloud.api, cloud.base_url) == ("http", "openai", "https://cloud.example/v1")
    assert (cloud.api_key_env, cloud.allowed_models) == ("CLOUD_KEY", ["small", "large"])
    assert cloud.capabilities == ["chat", "analysis"]
    assert (cloud.timeout_seconds, cloud.max_concurrency, cloud.max_retries) == (30, 4, 0)
    assert cloud.config.health == HealthSettings(True, Probe("/health", "HEAD"), 90)
    assert (cloud.input_price, cloud.output_price) == (Decimal("0.15"), Decimal(3))
    assert cloud.enabled
    assert cloud.declared
    rule = RoutingRule.objects.get(id="rule-1")
    assert (rule.task_type, rule.service, rule.model) == ("chat", cloud, "small")
    assert (rule.priority, rule.weight, rule.note, rule.declared) == (1, 2, "cheap", True)
    assert default_order() == ["cloud", "local"]


def test_what_is_not_named_gets_the_column_s_default_on_a_new_row(load: Callable[[str], Changes]) -> None:
    load(TWO)
    local = Service.objects.get(name="local")
    assert (local.timeout_seconds, local.max_concurrency, local.price) == (120, 16, None)
    assert RoutingRule.objects.get(id="rule-2").priority == 100


def test_network_settings_are_taken_and_go_with_another_type(load: Callable[[str], Changes]) -> None:
    server = "services:\n  one: {type: http, api: openai, base_url: http://localhost/v1, %s}\n"
    load(server % "headers: {X-Team: '${TEAM}'}, proxy: 'http://127.0.0.1:3128'")
    one = Service.objects.get(name="one")
    assert (one.headers, one.proxy, one.ca_file) == ({"X-Team": "${TEAM}"}, "http://127.0.0.1:3128", "")
    load(server % "model: m")
    one.refresh_from_db()
    assert (one.headers, one.proxy) == ({"X-Team": "${TEAM}"}, "http://127.0.0.1:3128")
    load(server % "headers: {}, proxy:")
    one.refresh_from_db()
    assert (one.headers, one.proxy) == ({}, "")
    load(server % "proxy: 'http://127.0.0.1:3128'")
    load("services:\n  one: {type: cli, command: [tr]}\n")
    one.refresh_from_db()
    assert one.proxy == ""


def test_a_second_import_changes_and_saves_nothing(load: Callable[[str], Changes], saves: list[str]) -> None:
    load(TWO)
    saves.clear()
    changes = load(TWO)
    assert not changes
    assert str(changes) == "nothing to change"
    assert saves == []


def test_only_the_row_that_differs_is_saved(load: Callable[[str], Changes], saves: list[str]) -> None:
    load(TWO)
    saves.clear()
    changes = load(TWO.replace("timeout_seconds: 30", "timeout_seconds: 60").replace("weight: 2", "weight: 3"))
    assert changes.services.changed == {"cloud": ("timeout_seconds",)}
    assert changes.rules.changed == {"rule-1": ("weight",)}
    assert saves == ["cloud", "rule-1"]
    assert Service.objects.get(name="cloud").timeout_seconds == 60


def test_a_changed_row_says_when_it_changed(load: Callable[[str], Changes]) -> None:
    load(TWO)
    before = Service.objects.get(name="cloud").updated_at
    load(TWO.replace("timeout_seconds: 30", "timeout_seconds: 60"))
    assert Service.objects.get(name="cloud").updated_at > before


def test_the_file_wins_for_what_it_names_and_leaves_the_rest(load: Callable[[str], Changes]) -> None:
    load(TWO)
    Service.objects.filter(name="cloud").update(model="mine", timeout_seconds=5, options={"a": 1})
    RoutingRule.objects.filter(id="rule-2").update(priority=7, note="mine")
    changes = load(TWO)
    assert changes.services.changed == {"cloud": ("timeout_seconds",)}
    assert not changes.rules
    cloud = Service.objects.get(name="cloud")
    assert (cloud.model, cloud.timeout_seconds, cloud.options) == ("mine", 30, {"a": 1})
    assert RoutingRule.objects.get(id="rule-2").priority == 7


def test_rows_made_elsewhere_stay(load: Callable[[str], Changes]) -> None:
    mine = Service.objects.create(name="mine", type="builtin")
    RoutingRule.objects.create(id="my-rule", task_type="chat", service=mine)
    load(TWO)
    changes = load(NOTHING)
    assert changes.services.removed == ("cloud", "local")
    assert list(Service.objects.values_list("name", flat=True)) == ["mine"]
    assert list(RoutingRule.objects.values_list("id", flat=True)) == ["my-rule"]


def test_a_row_made_elsewhere_becomes_the_file_s_when_it_names_it(load: Callable[[str], Changes]) -> None:
    cloud = Service.objects.create(name="cloud", type="builtin", model="mine")
    RoutingRule.objects.create(id="rule-1", task_type="analysis", service=cloud)
    changes = load(TWO)
    assert "declared" in changes.services.changed["cloud"]
    assert set(changes.rules.changed["rule-1"]) == {"task_type", "model", "priority", "weight", "note", "declared"}
    assert Service.objects.get(name="cloud").model == "mine"
    load(NOTHING)
    assert not Service.objects.exists()


def test_a_removed_service_takes_its_rules_along_and_that_is_told(load: Callable[[str], Changes]) -> None:
    load(TWO)
    cloud = Service.objects.get(name="cloud")
    RoutingRule.objects.create(id="my-rule", task_type="analysis", service=cloud)
    changes = load(LOCAL)
    assert changes.services.removed == ("cloud",)
    assert changes.rules.removed == ("my-rule", "rule-1", "rule-2")
    assert changes.default_changed
    assert default_order() == ["local"]


def test_a_rule_that_moves_to_another_service_survives_the_old_one(load: Callable[[str], Changes]) -> None:
    load(TWO)
    rules = "routing:\n  rules:\n    - {id: rule-1, task_type: chat, service: local}\n"
    changes = load(LOCAL + rules)
    assert changes.rules.changed == {"rule-1": ("service",)}
    assert changes.rules.removed == ("rule-2",)
    assert RoutingRule.objects.get(id="rule-1").service.name == "local"


def test_the_default_order_stays_where_the_file_names_none(load: Callable[[str], Changes]) -> None:
    load(TWO)
    DefaultRoute.objects.all().delete()
    DefaultRoute.objects.create(service=Service.objects.get(name="local"), position=3)
    changes = load(TWO.replace("  default: [cloud, local]\n", ""))
    assert not changes.default_changed
    assert default_order() == ["local"]


def test_the_default_order_is_replaced_where_the_file_names_it(load: Callable[[str], Changes]) -> None:
    load(TWO)
    changes = load(TWO.replace("[cloud, local]", "[local, cloud]"))
    assert changes.default_changed
    assert not changes.services
    assert default_order() == ["local", "cloud"]
    load(TWO.replace("[cloud, local]", "[]"))
    assert default_order() == []


def test_a_price_has_fees_and_a_price_for_each_kind_of_token(load: Callable[[str], Changes]) -> None:
    named = {
        "input_per_million": Decimal(3),
        "output_per_million": Decimal(15),
        "cached_input_per_million": Decimal("0.3"),
        "cache_write_per_million": Decimal("3.75"),
        "cache_write_1h_per_million": Decimal(6),
        "reasoning_per_million": Decimal(16),
        "per_request": Decimal("0.005"),
        "per_search": Decimal("0.01"),
    }
    text = ", ".join(f"{name}: {price}" for name, price in named.items())
    load(TWO.replace("input_per_million: 0.15, output_per_million: 3", text))

    assert Service.objects.get(name="cloud").price == PriceOverride(**named)
    assert configuration()["services"]["cloud"]["price"] == {name: float(price) for name, price in named.items()}


def test_a_price_may_be_given_back_to_the_price_table(load: Callable[[str], Changes]) -> None:
    load(TWO)
    load(TWO.replace("{input_per_million: 0.15, output_per_million: 3}", "null"))
    assert Service.objects.get(name="cloud").price is None


def test_a_service_of_another_type_keeps_nothing_of_the_old_one(load: Callable[[str], Changes]) -> None:
    load(TWO)
    load("services:\n  cloud: {type: builtin}\n  local: {type: cli, command: [llm]}\n")
    cloud, local = Service.objects.get(name="cloud"), Service.objects.get(name="local")
    assert (cloud.api, cloud.base_url, cloud.api_key_env) == ("", "", "")
    assert (local.api, local.base_url, local.command) == ("", "", ["llm"])


def test_a_key_in_the_file_is_not_stored(load: Callable[[str], Changes]) -> None:
    load(TWO.replace("    api_key_env: CLOUD_KEY\n", "    api_key: sk-very-secret\n"))
    row = Service.objects.filter(name="cloud").values().get()
    assert "sk-very-secret" not in str(row)


def test_a_failure_half_way_changes_nothing(load: Callable[[str], Changes]) -> None:
    def fail(**kwargs: object) -> None:
        raise RuntimeError

    post_save.connect(fail, sender=DefaultRoute)
    try:
        with pytest.raises(RuntimeError):
            load(TWO)
    finally:
        post_save.disconnect(fail, sender=DefaultRoute)
    assert not Service.objects.exists()
    assert not RoutingRule.objects.exists()


def test_the_summary_names_what_changed(load: Callable[[str], Changes]) -> None:
    load(TWO)
    text = LOCAL.replace("}", ", model: llama3, enabled: false}") + "  new: {type: builtin}\n"
    assert str(load(text)) == (
        "services: 1 added (new), 1 changed (local: enabled, model), 1 removed (cloud); "
        "rules: 2 removed (rule-1, rule-2); default order changed"
    )


def test_the_changes_can_be_sent_as_json(load: Callable[[str], Changes]) -> None:
    load(TWO)
    changes = load(TWO.replace("timeout_seconds: 30", "timeout_seconds: 60"))
    assert json.loads(json.dumps(changes.as_dict())) == {
        "services": {"added": [], "changed": {"cloud": ["timeout_seconds"]}, "removed": []},
        "rules": {"added": [], "changed": {}, "removed": []},
        "default_changed": False,
        "security": [],
        "keys": [],
    }


SECURITY = """
security:
  auth_enabled: true
  rate_limits: {anonymous: 5/s}
  allowed_hosts: [oxide.example.org]
"""


def test_the_security_section_is_imported_field_by_field(load: Callable[[str], Changes]) -> None:
    load(NOTHING + "security:\n  rate_limits: {authenticated: 7/s}\n  cors_origins: [https://app.example.org]\n")
    changes = load(NOTHING + SECURITY)
    assert changes.security == ("auth_enabled", "allowed_hosts", "rate_limits.anonymous")
    assert str(changes) == "security changed (auth_enabled, allowed_hosts, rate_limits.anonymous)"
    row = SecurityPolicy.objects.get()
    assert (row.auth_enabled, row.allowed_hosts) == (True, ["oxide.example.org"])
    assert (row.anonymous_rate, row.authenticated_rate) == ("5/s", "7/s")
    assert row.cors_origins == ["https://app.example.org"]


def test_a_security_section_that_says_the_same_changes_nothing(load: Callable[[str], Changes]) -> None:
    load(NOTHING + SECURITY)
    assert not load(NOTHING + SECURITY)
    assert not load(NOTHING)
    assert SecurityPolicy.objects.get().auth_enabled


@pytest.fixture
def write_keys(write: Callable[[str], Path], settings: Settings) -> Callable[[str], Declaration]:
    """Write the configured file."""

    def declared(text: str) -> Declaration:
        settings.CONFIG_FILE = write(text)
        return read(settings.CONFIG_FILE)

    return declared


@pytest.mark.django_db(transaction=True)
def test_keys_in_the_file_are_read_again_and_only_the_services_are_named(
    write_keys: Callable[[str], Declaration],
) -> None:
    keyed = "services:\n  a: {type: cli, command: [a], api_key: sk-first}\n  b: {type: cli, command: [b]}\n"
    apply(write_keys(keyed))
    assert keyring.secret_for("a") == "sk-first"
    changes = apply(write_keys(keyed.replace("sk-first", "sk-second")))
    assert changes.keys == ("a",)
    assert str(changes) == "keys changed (a)"
    assert keyring.secret_for("a") == "sk-second"
    assert not apply(write_keys(keyed.replace("sk-first", "sk-second")))


@pytest.mark.django_db(transaction=True)
def test_keys_stay_as_they_were_when_an_import_fails(write_keys: Callable[[str], Declaration]) -> None:
    apply(write_keys("services:\n  a: {type: cli, command: [a], api_key: sk-first}\n"))
    assert keyring.secret_for("a") == "sk-first"
    declaration = write_keys("services:\n  a: {type: cli, command: [a], api_key: sk-second}\n  b: {type: builtin}\n")

    def fail(**kwargs: object) -> None:
        raise RuntimeError

    post_save.connect(fail, sender=Service)
    try:
        with pytest.raises(RuntimeError):
            apply(declaration)
    finally:
        post_save.disconnect(fail, sender=Service)
    assert keyring.secret_for("a") == "sk-first"


def test_other_processes_read_the_keys_again_after_every_import(load: Callable[[str], Changes]) -> None:
    load(NOTHING)
    before = Revision.numbers()["file_keys"]
    load(NOTHING)
    assert Revision.numbers()["file_keys"] > before


def test_a_new_database_is_seeded(write: Callable[[str], Path]) -> None:
    assert isinstance(seed_if_new(write(TWO)), Changes)
    assert Service.objects.count() == 2


def test_a_database_with_services_is_not_seeded_again(write: Callable[[str], Path]) -> None:
    Service.objects.create(name="mine", type="builtin")
    assert seed_if_new(write(TWO)) is None
    assert Service.objects.count() == 1


def test_a_file_that_does_not_validate_changes_nothing(
    load: Callable[[str], Changes], write: Callable[[str], Path]
) -> None:
    load(TWO)
    with pytest.raises(ConfigInvalidError):
        apply(
            read(write(TWO.replace("timeout_seconds: 30", "timeout_seconds: never").replace("weight: 2", "weight: 9")))
        )
    assert RoutingRule.objects.get(id="rule-1").weight == 2
