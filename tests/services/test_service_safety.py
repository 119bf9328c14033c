"""A browser session of an administrator is no shell on the host, and takes no secret out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings

from apikeys import keyring
from apikeys.models import ProviderKey
from config.apply import apply
from config.schema import Declaration
from services.models import Service
from tests import canary
from tests.services.test_admin import ADD, CLI, HTTP, SERVICES, form_errors, form_of, save

Make = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = canary.provider_key("safety")
VARIABLE = "SAFETY_TEST_KEY"
ELSEWHERE = "http://attacker.example/v1"
OWN = ["OXIDE_SECRET_KEY", "oxide_secret_key", "OXIDE_ANYTHING", "DATABASE_URL", "REDIS_URL", "SECRET_KEY"]
OWN += ["DJANGO_SETTINGS_MODULE", "DJANGO_SECRET_KEY", "POSTGRES_PASSWORD", "PGPASSWORD", "REDISCLI_AUTH"]


@pytest.fixture
def in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)


def declare(**fields: Any) -> None:
    entry = {"type": "http", "api": "openai", "base_url": "http://localhost:1234/v1", **fields}
    apply(Declaration.checked({"services": {"new": entry}}))


# Variables of Oxide's own


@pytest.mark.parametrize("name", OWN)
def test_a_variable_of_oxides_own_is_no_key_in_a_form(admin_client: Client, name: str) -> None:
    (problem,) = form_errors(admin_client, {**HTTP, "api_key_env": name})["api_key_env"]
    assert "Oxide's own" in problem


@pytest.mark.parametrize("name", OWN)
def test_a_variable_of_oxides_own_is_no_key_in_the_file(name: str) -> None:
    with pytest.raises(ValueError, match="Oxide's own"):
        declare(api_key_env=name)


@pytest.mark.parametrize("name", OWN)
def test_a_row_that_names_one_all_the_same_gets_no_key(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    assert keyring.find("first", name) == keyring.Found()
    assert keyring.known([name]) == frozenset()


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "SCW_SECRET_KEY", "MY_DATABASE_URL", "OXIDEAI_KEY", "PG_AI_KEY"])
def test_other_variables_may_be_keys(name: str) -> None:
    declare(api_key_env=name)
    assert Service.objects.get().api_key_env == name


def test_a_program_is_given_no_variable_of_oxides_own() -> None:
    row = Service(name="tool", type="cli", command=["tr"], options={"env": ["OXIDE_SECRET_KEY"]})
    with pytest.raises(ValidationError, match="Oxide's own"):
        row.full_clean()


# Commands


def test_no_program_is_set_in_the_pages_unless_that_is_allowed(admin_client: Client, settings: Settings) -> None:
    (problem,) = form_errors(admin_client, CLI)["command"]
    assert "OXIDE_ALLOW_CLI_COMMANDS=true" in problem
    assert not Service.objects.exists()
    settings.ALLOW_CLI_COMMANDS = True
    assert admin_client.post(ADD, CLI).status_code == 302


def test_the_form_says_beforehand_where_commands_are_set(admin_client: Client, settings: Settings) -> None:
    assert "OXIDE_ALLOW_CLI_COMMANDS=true" in admin_client.get(ADD).content.decode()
    settings.ALLOW_CLI_COMMANDS = True
    assert "OXIDE_ALLOW_CLI_COMMANDS" not in admin_client.get(ADD).content.decode()


@pytest.mark.parametrize("change", [{"command": '["sh", "-c", "id"]'}, {"options": '{"env": ["HOME"]}'}])
def test_a_program_of_the_file_cannot_be_changed_in_the_pages(admin_client: Client, change: dict[str, str]) -> None:
    apply(Declaration.checked({"services": {"tool": {"type": "cli", "command": ["tr", "a", "b"]}}}))
    row = Service.objects.get()
    assert save(admin_client, row, timeout_seconds="7").timeout_seconds == 7
    errors = form_errors(admin_client, {**form_of(admin_client, row), **change}, f"{SERVICES}{row.pk}/change/")
    assert "command" in errors
    row.refresh_from_db()
    assert (row.command, row.options) == (["tr", "a", "b"], {})


def test_a_server_cannot_become_a_program_in_the_pages(admin_client: Client, service: Make) -> None:
    row = service("first")
    form = {**form_of(admin_client, row), "type": "cli", "api": "", "base_url": "", "command": '["id"]'}
    assert "command" in form_errors(admin_client, form, f"{SERVICES}{row.pk}/change/")


# Another host


def test_the_stored_key_does_not_go_along_to_another_host(admin_client: Client, service: Make) -> None:
    row = service("first", base_url="https://api.example/v1", api_key_env=VARIABLE)
    ProviderKey.store("first", SECRET)
    save(admin_client, row, base_url="https://api.example/v2")
    assert ProviderKey.objects.exists()
    row = save(admin_client, row, base_url=ELSEWHERE)
    assert not ProviderKey.objects.exists()
    assert keyring.secret_for("first", row.api_key_env) == ""


@pytest.mark.parametrize("address", ["http://api.example/v1", "https://api.example:8443/v1", "https://api2.example/v1"])
def test_another_scheme_or_port_is_another_host(admin_client: Client, service: Make, address: str) -> None:
    row = service("first", base_url="https://api.example/v1")
    ProviderKey.store("first", SECRET)
    save(admin_client, row, base_url=address)
    assert not ProviderKey.objects.exists()


def test_a_new_service_does_not_inherit_the_key_of_an_old_one_of_its_name(admin_client: Client, service: Make) -> None:
    service("new", base_url="https://api.example/v1").delete()
    ProviderKey.store("new", SECRET)
    assert admin_client.post(ADD, {**HTTP, "base_url": ELSEWHERE}).status_code == 302
    assert not ProviderKey.objects.exists()


@pytest.mark.usefixtures("in_environment")
def test_a_key_of_the_environment_keeps_its_host(admin_client: Client) -> None:
    declare(api_key_env=VARIABLE)
    row = Service.objects.get()
    form = {**form_of(admin_client, row), "base_url": ELSEWHERE}
    (problem,) = form_errors(admin_client, form, f"{SERVICES}{row.pk}/change/")["base_url"]
    assert f"{VARIABLE} holds a key for http://localhost:1234" in problem
    assert SECRET not in problem


@pytest.mark.usefixtures("in_environment")
def test_it_keeps_it_also_in_two_steps_and_under_another_name(admin_client: Client) -> None:
    declare(api_key_env=VARIABLE)
    row = Service.objects.get()
    row = save(admin_client, row, base_url=ELSEWHERE, api_key_env="")
    form = {**form_of(admin_client, row), "api_key_env": VARIABLE}
    assert "api_key_env" in form_errors(admin_client, form, f"{SERVICES}{row.pk}/change/")
    row.delete()
    for name in ("new", "other"):
        form = {**HTTP, "name": name, "base_url": ELSEWHERE, "api_key_env": VARIABLE}
        assert "base_url" in form_errors(admin_client, form)
    assert admin_client.post(ADD, {**HTTP, "api_key_env": VARIABLE}).status_code == 302


@pytest.mark.usefixtures("in_environment")
def test_the_file_may_move_it(admin_client: Client) -> None:
    declare(api_key_env=VARIABLE)
    declare(api_key_env=VARIABLE, base_url=ELSEWHERE)
    row = Service.objects.get()
    assert keyring.secret_for("new", row.api_key_env) == SECRET
    save(admin_client, row, base_url="http://localhost:1234/v1")


@pytest.fixture
def key_file(settings: Settings, tmp_path: Any) -> None:
    settings.CONFIG_FILE = tmp_path / "oxide.yaml"
    settings.CONFIG_FILE.write_text(
        f"services: {{new: {{type: http, api: openai, base_url: 'http://a', api_key: {SECRET}}}}}"
    )


@pytest.mark.usefixtures("key_file")
def test_a_key_of_the_file_keeps_its_host(admin_client: Client) -> None:
    declare()
    row = Service.objects.get()
    form = {**form_of(admin_client, row), "base_url": ELSEWHERE}
    assert "base_url" in form_errors(admin_client, form, f"{SERVICES}{row.pk}/change/")
    row.delete()
    assert "base_url" in form_errors(admin_client, {**HTTP, "base_url": ELSEWHERE})


# Other ways for a key


@pytest.mark.usefixtures("in_environment")
def test_a_header_takes_no_key_to_another_host(admin_client: Client) -> None:
    declare(api_key_env=VARIABLE)
    stolen = json.dumps({"X-Stolen": "Bearer ${" + VARIABLE + "}"})
    form = {**HTTP, "name": "other", "base_url": ELSEWHERE, "headers": stolen}
    (problem,) = form_errors(admin_client, form)["headers"]
    assert f"{VARIABLE} holds a value for http://localhost:1234" in problem
    assert admin_client.post(ADD, {**form, "base_url": "http://localhost:1234/v1"}).status_code == 302


@pytest.mark.usefixtures("in_environment")
def test_no_proxy_is_put_before_a_key_of_the_environment_in_the_pages(admin_client: Client) -> None:
    declare(api_key_env=VARIABLE)
    row = Service.objects.get()
    form = {**form_of(admin_client, row), "proxy": "http://attacker.example:3128"}
    assert "proxy" in form_errors(admin_client, form, f"{SERVICES}{row.pk}/change/")
    declare(api_key_env=VARIABLE, proxy="http://proxy.example:3128")
    save(admin_client, Service.objects.get(), model="beta")


@pytest.mark.usefixtures("in_environment")
@pytest.mark.parametrize(
    "proxy",
    ["http://me:${%s}@attacker.example:3128", "http://${%s}@attacker.example", "http://${%s}.attacker.example:80"],
)
def test_no_proxy_is_given_a_key_of_the_environment_in_the_pages(admin_client: Client, proxy: str) -> None:
    declare(api_key_env=VARIABLE)
    form = {**HTTP, "name": "other", "base_url": "http://elsewhere.example/v1", "proxy": proxy % VARIABLE}
    (problem,) = form_errors(admin_client, form)["proxy"]
    assert f"{VARIABLE} holds a value for http://localhost:1234" in problem


@pytest.mark.usefixtures("in_environment")
def test_a_password_of_a_proxy_keeps_its_proxy(admin_client: Client) -> None:
    reference = "${" + VARIABLE + "}"
    first, other = (f"http://me:{reference}@{host}:3128" for host in ("proxy.example", "attacker.example"))
    form = {**HTTP, "proxy": first}
    assert admin_client.post(ADD, form).status_code == 302
    assert "proxy" in form_errors(admin_client, {**form, "name": "other", "proxy": other})
    assert admin_client.post(ADD, {**form, "name": "third"}).status_code == 302


@pytest.mark.usefixtures("in_environment")
def test_no_proxy_is_put_before_a_header_of_the_environment_in_the_pages(admin_client: Client) -> None:
    declare(headers={"X-Team": "${" + VARIABLE + "}"})
    row = Service.objects.get()
    form = {**form_of(admin_client, row), "proxy": "http://attacker.example:3128"}
    assert "proxy" in form_errors(admin_client, form, f"{SERVICES}{row.pk}/change/")


@pytest.mark.parametrize("path", ["@attacker.example/", ".attacker.example/", "//attacker.example/", ":1@attacker/", 5])
def test_no_option_moves_a_key_to_another_host(path: Any) -> None:
    with pytest.raises(ValueError, match="key_path"):
        declare(options={"key_path": path})
    declare(options={"key_path": "/key"})


def test_the_stored_key_does_not_go_past_another_proxy(admin_client: Client, service: Make) -> None:
    row = service("new", base_url="https://api.example/v1", api="openai")
    ProviderKey.store("new", SECRET)
    save(admin_client, row, proxy="http://attacker.example:3128")
    assert not ProviderKey.objects.exists()
