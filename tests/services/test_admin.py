from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from services import directory, health
from services.breaker import breakers
from services.models import Service
from services.outcomes import MOST_TOLD
from tests import canary
from tests.fake_provider import FakeProvider

Make = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)

SERVICES = "/admin/services/service/"
ADD = f"{SERVICES}add/"
WRITTEN_OUT = "a-header-that-is-written-out"
SECRET = canary.provider_key("service", start="sk-a-")

HTTP = {
    "name": "new",
    "type": "http",
    "api": "openai",
    "enabled": "on",
    "base_url": "http://localhost:1234/v1",
    "timeout_seconds": "120",
    "max_concurrency": "16",
    "max_retries": "1",
}
CLI = {**HTTP, "type": "cli", "api": "", "base_url": "", "command": '["tr", "a-z", "A-Z"]'}


@pytest.fixture(autouse=True)
def commands_allowed(settings: Settings) -> None:
    settings.ALLOW_CLI_COMMANDS = True


def page(client: Client, address: str = SERVICES) -> str:
    return client.get(address).content.decode()


def form_errors(client: Client, form: dict[str, str], address: str = ADD) -> dict[str, list[str]]:
    answer = client.post(address, form)
    assert answer.status_code == 200, "the form was accepted"
    errors: dict[str, list[str]] = answer.context["adminform"].form.errors
    return errors


def form_of(client: Client, service: Service) -> dict[str, str]:
    """What the page of a service would send if it were saved as it is."""
    form = client.get(f"{SERVICES}{service.pk}/change/").context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value is not None and value is not False}


def save(client: Client, service: Service, **changes: str) -> Service:
    form = {**form_of(client, service), **changes}
    answer = client.post(f"{SERVICES}{service.pk}/change/", form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return Service.objects.get(pk=service.pk)


def check_now(client: Client, *services: Service) -> list[tuple[str, str]]:
    return act(client, "check_now", *services)


def act(client: Client, action: str, *services: Service) -> list[tuple[str, str]]:
    form = {"action": action, "_selected_action": [service.pk for service in services]}
    answer = client.post(SERVICES, form, follow=True)
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


# The list


def test_the_list_tells_how_each_service_is(admin_client: Client, service: Make) -> None:
    health.check(service("good").config)
    health.check(service("bad", base_url="http://127.0.0.1:9/v1").config)
    service("idle", enabled=False)
    service("locked", api_key_env="NOBODY_SETS_THIS_KEY")
    service("young")
    shown = page(admin_client)
    for words in ("healthy", "unhealthy: cannot be reached", "switched off", "not checked: no key", "not checked yet"):
        assert f">{words}" in shown


def test_a_service_with_an_open_circuit_breaker_is_not_shown_as_healthy(admin_client: Client, service: Make) -> None:
    health.check(service("tired").config)
    while not breakers["tired"].blocked():
        breakers["tired"].admit()
        breakers["tired"].record_failure()
    assert ">circuit breaker open: failed several times in a row" in page(admin_client)


def test_of_a_key_no_more_is_shown_than_its_preview(
    admin_client: Client, service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    row = service("paid", api_key_env="SOME_KEY")
    service("poor", api_key_env="NOBODY_SETS_THIS_KEY")
    service("free")
    shown = page(admin_client) + page(admin_client, f"{SERVICES}{row.pk}/change/")
    assert "there: sk-a...xyz" in shown
    assert "needs NOBODY_SETS_THIS_KEY, missing" in shown
    assert "none needed" in shown
    assert SECRET not in shown
    assert SECRET[4:-3] not in shown


def test_a_service_switched_off_in_the_list_is_off_at_once(admin_client: Client, service: Make) -> None:
    first, second = service("first"), service("second")
    assert directory.current()["first"].enabled

    form = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2, "_save": "Save"}
    form |= {"form-0-id": first.pk, "form-1-id": second.pk, "form-1-enabled": "on"}
    assert admin_client.post(SERVICES, form).status_code == 302

    assert [config.enabled for config in directory.current().values()] == [False, True]


def test_a_service_that_its_form_would_refuse_can_still_be_switched_off(admin_client: Client, service: Make) -> None:
    row = service("odd", base_url="nowhere")
    form = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": row.pk, "_save": "Save"}
    assert admin_client.post(SERVICES, form).status_code == 302
    assert not Service.objects.get().enabled


def test_a_longer_list_takes_no_more_queries(admin_client: Client, service: Make) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert "s0" in page(admin_client)
        return len(captured)

    service("s0")
    page(admin_client)
    few = queries()
    for number in range(1, 10):
        service(f"s{number}")
    assert queries() == few


# Check now


def test_check_now_reports_each_service(admin_client: Client, service: Make, provider: FakeProvider) -> None:
    good = service("good")
    bad = service("bad", base_url="http://127.0.0.1:9/v1")
    locked = service("locked", api_key_env="NOBODY_SETS_THIS_KEY")
    told = dict(check_now(admin_client, good, bad, locked))
    assert told["success"].startswith("Service good is healthy: it answered in ")
    assert told["success"].endswith(" and lists 2 models.")
    assert told["error"].startswith("Service bad is unhealthy: cannot be reached")
    assert told["warning"] == (
        "Service locked was not asked: it needs a key. "
        "Enter it under Provider keys, or set NOBODY_SETS_THIS_KEY and restart."
    )
    assert provider.requests_to("locked") == []
    assert "unhealthy: cannot be reached" in page(admin_client)


def test_only_the_selected_services_are_checked(admin_client: Client, service: Make, provider: FakeProvider) -> None:
    service("other")
    check_now(admin_client, service("chosen"))
    assert len(provider.requests_to("chosen")) == 1
    assert provider.requests_to("other") == []


def test_who_may_only_look_cannot_check(client: Client, service: Make, django_user_model: Any) -> None:
    from django.contrib.auth.models import Permission

    row = service("first")
    user = django_user_model.objects.create_user("guest", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_service"))
    client.force_login(user)
    assert "first" in page(client)
    assert check_now(client, row) == []
    assert health.of("first") is None


# Other actions


def test_services_are_switched_from_the_list_and_each_says_what_came_of_it(admin_client: Client, service: Make) -> None:
    on, off = service("on"), service("off", enabled=False)
    assert act(admin_client, "switch_off", on, off) == [
        ("success", "Service on is switched off: that holds from the next task on."),
        ("info", "Service off was off already."),
    ]
    assert not directory.current()["on"].enabled
    act(admin_client, "switch_on", on)
    assert directory.current()["on"].enabled


def test_a_breaker_is_closed_from_the_list(admin_client: Client, service: Make) -> None:
    tired, fresh = service("tired"), service("fresh")
    while not breakers["tired"].blocked():
        breakers["tired"].admit()
        breakers["tired"].record_failure()
    assert "s more: called last" in page(admin_client)
    assert act(admin_client, "close_breaker", tired, fresh) == [
        ("success", "The breaker of tired is closed in this process: it is asked again."),
        ("info", "The breaker of fresh was closed already."),
    ]
    assert not breakers["tired"].blocked()


def test_services_are_found_by_where_they_come_from(admin_client: Client, service: Make) -> None:
    service("declared", declared=True)
    service("own")
    shown = admin_client.get(SERVICES, {"declared__exact": "0"})
    assert [row.name for row in shown.context["cl"].result_list] == ["own"]
    assert "Made here or over the API" in shown.content.decode()


def test_of_many_rows_what_went_wrong_is_told_and_the_rest_is_counted(admin_client: Client, service: Make) -> None:
    many = [service(f"on-{number}") for number in range(MOST_TOLD + 2)]
    *told, rest = act(admin_client, "switch_on", *many, service("off", enabled=False))
    assert told[0] == ("success", "Service off is switched on: that holds from the next task on.")
    assert len(told) == MOST_TOLD
    assert rest == ("info", "And 3 more, 3 of which went well. The list shows how each of them is now.")


# The form


def test_a_new_service_is_asked_as_soon_as_it_is_saved(admin_client: Client, provider: FakeProvider) -> None:
    form = {**HTTP, "base_url": provider.base_url("openai", service="new"), "_continue": "ask"}
    answer = admin_client.post(ADD, form, follow=True)
    said = [message.message for message in answer.context["messages"]]
    assert said[-1].startswith("Service new is healthy: it answered in ")
    assert "healthy" in page(admin_client)
    assert answer.request["PATH_INFO"] == f"{SERVICES}{Service.objects.get().pk}/change/"

    form = {**HTTP, "base_url": "http://127.0.0.1:9/v1", "_continue": "ask"}
    answer = admin_client.post(answer.request["PATH_INFO"], form, follow=True)
    said = [message.message for message in answer.context["messages"]]
    assert said[-1].startswith("Service new is unhealthy: cannot be reached")


def test_a_service_that_was_deleted_meanwhile_is_not_asked(admin_client: Client) -> None:
    answer = admin_client.post(f"{SERVICES}999/change/", {**HTTP, "_continue": "ask"}, follow=True)
    (message,) = answer.context["messages"]
    assert "Perhaps it was deleted?" in message.message


def test_what_cannot_be_saved_is_not_asked(admin_client: Client, provider: FakeProvider) -> None:
    assert "api" in form_errors(admin_client, {**HTTP, "api": "", "_continue": "ask"})
    assert provider.requests_to("new") == []


@pytest.mark.parametrize("form", [HTTP, CLI, {**CLI, "type": "builtin", "command": ""}])
def test_a_service_of_each_type_can_be_added(admin_client: Client, form: dict[str, str]) -> None:
    answer = admin_client.post(ADD, form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    row = Service.objects.get()
    assert (row.type, row.declared) == (form["type"], False)
    assert (row.allowed_models, row.capabilities, row.options) == ([], [], {})
    assert row.command == (["tr", "a-z", "A-Z"] if form is CLI else [])
    assert directory.current()["new"].type == form["type"]


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({**HTTP, "api": ""}, "api", "Is missing"),
        ({**HTTP, "base_url": ""}, "base_url", "Is missing"),
        ({**HTTP, "base_url": "localhost:1234"}, "base_url", "Must start with http:// or https://"),
        ({**HTTP, "base_url": "ftp://localhost"}, "base_url", "Must start with http:// or https://"),
        ({**HTTP, "base_url": "http://"}, "base_url", "and name a host"),
        ({**HTTP, "base_url": "http://a:99999"}, "base_url", "Is not a URL"),
        ({**HTTP, "base_url": "http://me:secret@a"}, "base_url", "user name or password"),
        ({**HTTP, "base_url": "http://a/v1?key=x"}, "base_url", "Must not hold a key in its query"),
        ({**HTTP, "base_url": "http://a/v1#x"}, "base_url", "Must end with its path"),
        ({**HTTP, "command": '["tr"]'}, "command", "Does not belong to a service of type http"),
        ({**HTTP, "api_key_env": "sk-abcdefghijklmnop"}, "api_key_env", "not the key itself"),
        ({**HTTP, "options": '{"max_token_field": "x"}'}, "options", "Openai does not know max_token_field"),
        ({**HTTP, "options": '{"stream_usage": "yes"}'}, "options", "same kind as the default, True"),
        ({**HTTP, "options": '{"max_reply_bytes": NaN}'}, "options", ""),
        ({**HTTP, "options": "[1]"}, "options", "Must hold names with values"),
        ({**HTTP, "headers": "[1]"}, "headers", "Must hold names with values"),
        ({**HTTP, "headers": '{"Host": "a"}'}, "headers", "Must not hold Host"),
        ({**HTTP, "headers": '{"a": "${DATABASE_URL}"}'}, "headers", "Must not refer to DATABASE_URL"),
        ({**HTTP, "proxy": "nowhere"}, "proxy", "Must start with one of http"),
        ({**HTTP, "ca_file": "/nowhere/ca.pem"}, "ca_file", "Cannot be read"),
        ({**CLI, "proxy": "http://a:1"}, "proxy", "Does not belong to a service of type cli"),
        ({**HTTP, "options": "{"}, "options", "valid JSON"),
        ({**HTTP, "name": "auto"}, "name", "not the word auto"),
        ({**HTTP, "input_price": "-1", "output_price": "1"}, "input_price", "at least 0"),
        ({**HTTP, "input_price": "1"}, "output_price", "Is missing: set both prices"),
        ({**HTTP, "request_price": "1"}, "request_price", "Needs the prices of input and output"),
        ({**HTTP, "search_price": "1"}, "search_price", "Needs the prices of input and output"),
        ({**HTTP, "cache_write_1h_price": "1"}, "cache_write_1h_price", "Needs the prices of input and output"),
        ({**CLI, "command": ""}, "command", "Is missing"),
        ({**CLI, "command": '"tr a-z A-Z"'}, "command", "Must begin with the program to run, as a list"),
        ({**CLI, "command": '[" "]'}, "command", "Must begin with the program to run, as a list"),
        ({**CLI, "command": '{"tr": 1}'}, "command", "Must begin with the program to run, as a list"),
        ({**CLI, "command": '["tr", 1]'}, "command", "list of texts"),
        ({**CLI, "command": '["tr", ""]'}, "command", "list of texts"),
        ({**CLI, "command": '["tr", "a\\u0000"]'}, "command", "cannot be stored"),
        ({**CLI, "api": "openai"}, "api", "Does not belong to a service of type cli"),
        ({**CLI, "base_url": "http://a"}, "base_url", "Does not belong to a service of type cli"),
        ({**CLI, "type": "builtin", "command": "", "api_key_env": "K"}, "api_key_env", "Does not belong"),
    ],
)
def test_the_form_says_what_is_wrong_where_it_is_wrong(
    admin_client: Client, form: dict[str, str], field: str, words: str
) -> None:
    errors = form_errors(admin_client, form)
    assert list(errors) == [field]
    assert words in errors[field][0]
    assert not Service.objects.exists()


def test_all_mistakes_are_told_at_once(admin_client: Client) -> None:
    form = {**HTTP, "name": "", "api": "", "base_url": "nowhere", "max_concurrency": "0", "options": '{"x": 1}'}
    # Without a protocol nothing can be said about its settings.
    assert set(form_errors(admin_client, form)) == {"name", "api", "base_url", "max_concurrency"}


def test_lists_are_edited_a_line_each(admin_client: Client, service: Make) -> None:
    row = save(admin_client, service("first"), allowed_models=" alpha \r\n\r\nbeta", capabilities="chat")
    assert row.allowed_models == ["alpha", "beta"]
    assert row.capabilities == ["chat"]
    assert form_of(admin_client, row)["allowed_models"] == "alpha\nbeta"


def test_saving_a_service_unchanged_changes_nothing(admin_client: Client, service: Make) -> None:
    row = service("first", allowed_models=["a", "b"], options={"stream_usage": False}, input_price=1, output_price=2)
    row.refresh_from_db()
    assert save(admin_client, row).config == row.config
    assert "No fields changed" in page(admin_client, f"{SERVICES}{row.pk}/history/")


def test_values_of_headers_are_never_shown_and_stay(admin_client: Client, service: Make) -> None:
    row = service("first", headers={"X-Team": WRITTEN_OUT, "X-Other": "${OTHER}"}, proxy="socks5://127.0.0.1:1080")
    assert json.loads(form_of(admin_client, row)["headers"]) == {"X-Team": "***", "X-Other": "${OTHER}"}
    assert save(admin_client, row).headers == row.headers
    assert "No fields changed" in page(admin_client, f"{SERVICES}{row.pk}/history/")
    changed = save(admin_client, row, headers='{"X-Team": "***", "X-New": "1"}')
    assert changed.headers == {"X-Team": WRITTEN_OUT, "X-New": "1"}
    address = f"{SERVICES}{row.pk}/change/"
    for field, value in (("base_url", "http://elsewhere.example/v1"), ("proxy", "http://elsewhere.example:1")):
        form = {**form_of(admin_client, row), field: value}
        assert "enter the values shown as *** again" in str(form_errors(admin_client, form, address))
    assert WRITTEN_OUT not in page(admin_client, address) + page(admin_client, f"{SERVICES}{row.pk}/history/")


def test_who_may_only_look_sees_no_values_of_headers(client: Client, service: Make) -> None:
    row = service("first", headers={"X-Team": WRITTEN_OUT})
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_service"))
    client.force_login(viewer)
    shown = page(client, f"{SERVICES}{row.pk}/change/")
    assert "X-Team" in shown
    assert WRITTEN_OUT not in shown


def test_emptied_fields_become_an_empty_list_and_an_empty_mapping(admin_client: Client, service: Make) -> None:
    row = service("first", allowed_models=["a"], options={"stream_usage": False})
    row = save(admin_client, row, allowed_models="", options="", command="")
    assert (row.allowed_models, row.options, row.command) == ([], {}, [])


def test_a_new_service_begins_with_empty_lists(admin_client: Client) -> None:
    form = admin_client.get(ADD).context["adminform"].form
    assert {form[name].value() or "" for name in ("command", "allowed_models", "capabilities", "options")} == {""}


def test_a_service_keeps_its_name(admin_client: Client, service: Make) -> None:
    row = service("first")
    assert save(admin_client, row, name="renamed", model="beta").name == "first"


def test_a_declared_service_says_where_it_comes_from(admin_client: Client, service: Make) -> None:
    declared, own = service("declared", declared=True), service("own")
    hint = "Declared in default.yaml. A reload sets every field that default.yaml names back"
    assert hint in page(admin_client, f"{SERVICES}{declared.pk}/change/")
    assert hint not in page(admin_client, f"{SERVICES}{own.pk}/change/")


def test_the_form_names_the_options_of_the_service_at_hand(admin_client: Client, service: Make) -> None:
    gemini, anthropic = service("one", api="gemini"), service("two", api="anthropic")
    assert "default_max_tokens (4096)" not in page(admin_client, f"{SERVICES}{gemini.pk}/change/")
    assert "default_max_tokens (4096)" in page(admin_client, f"{SERVICES}{anthropic.pk}/change/")


def test_what_a_service_says_of_itself_cannot_become_markup(admin_client: Client) -> None:
    row = Service.objects.create(name="first", type="cli", command=["<script>alert(1)</script>"])
    health.check(row.config)
    shown = page(admin_client) + page(admin_client, f"{SERVICES}{row.pk}/change/")
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert(1)" not in shown


# Elsewhere than in a form


def test_full_clean_makes_the_same_demands() -> None:
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError) as raised:
        Service(
            name="x", type="cli", command=None, allowed_models="alpha", input_price="much", output_price=1
        ).full_clean()
    assert set(raised.value.message_dict) == {"command", "allowed_models", "input_price"}
