"""Provider keys in the admin pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django import Settings

from apikeys import keyring
from apikeys.models import ProviderKey
from services import health
from services.models import Service
from snapshots import snapshot
from tests import canary
from tests.fake_provider import FakeProvider

Make = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/apikeys/providerkey/"
ADD = f"{LIST}add/"
VARIABLE = "KEY_ADMIN_TEST_KEY"
CANARY = canary.provider_key("first")


@pytest.fixture(autouse=True)
def nothing_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    assert canary.MARK not in caplog.text
    assert not any(canary.MARK in f"{entry.change_message}{entry.object_repr}" for entry in LogEntry.objects.all())


def page(client: Client, address: str = LIST) -> str:
    content = client.get(address).content.decode()
    assert canary.MARK not in content
    return content


def stored(secret: str = CANARY, service: str = "first") -> ProviderKey:
    ProviderKey.store(service, secret)
    return ProviderKey.objects.get(service=service)


def change(row: ProviderKey) -> str:
    return f"{LIST}{row.pk}/change/"


def ask_providers(client: Client, *rows: ProviderKey) -> list[tuple[str, str]]:
    form = {"action": "test_now", "_selected_action": [row.pk for row in rows]}
    answer = client.post(LIST, form, follow=True)
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


def test_a_key_that_is_entered_is_stored_and_used(admin_client: Client, service: Make) -> None:
    service("first", api_key_env=VARIABLE)
    assert admin_client.post(ADD, {"service": "first", "api_key": f" {CANARY} "}).status_code == 302
    assert keyring.find("first", VARIABLE) == keyring.Found(CANARY, "database")
    assert LogEntry.objects.get().object_repr == "first"


def test_a_key_is_replaced_without_being_shown(admin_client: Client, service: Make) -> None:
    service("first", api_key_env=VARIABLE)
    row = stored()
    assert "sk-o...xyz" in page(admin_client, change(row))
    assert admin_client.post(change(row), {"api_key": "another-key-of-first"}).status_code == 302
    assert keyring.secret_for("first") == "another-key-of-first"


def test_an_empty_list_leads_to_the_keys_that_are_missing(admin_client: Client, service: Make) -> None:
    service("first")
    assert "no service waits for one" in page(admin_client)
    service("second", api_key_env=VARIABLE)
    assert f'Enter that of a service without one: <a href="{ADD}?service=second">second</a>.' in page(admin_client)
    assert "Nothing matches." in page(admin_client, f"{LIST}?q=third")


def test_a_service_has_one_stored_key_and_a_builtin_none(admin_client: Client, service: Make) -> None:
    service("first")
    service("second")
    Service.objects.create(name="echo", type="builtin")
    stored()
    form = admin_client.get(ADD).context["adminform"].form
    assert [name for name, _ in form.fields["service"].choices] == ["", "second"]
    assert admin_client.post(ADD, {"service": "first", "api_key": CANARY}).status_code == 200
    assert admin_client.post(ADD, {"service": "echo", "api_key": CANARY}).status_code == 200
    assert ProviderKey.objects.count() == 1


@pytest.mark.parametrize("secret", ["", "CANARY with a blank", "CANARY\twith-a-tab", "CANARYß"])
def test_what_cannot_be_a_key_is_refused_and_not_given_back(admin_client: Client, service: Make, secret: str) -> None:
    service("first")
    answer = admin_client.post(ADD, {"service": "first", "api_key": secret})
    assert answer.status_code == 200
    assert "api_key" in answer.context["adminform"].form.errors
    assert canary.MARK not in answer.content.decode()
    assert not ProviderKey.objects.exists()


def test_the_list_tells_what_each_key_is_good_for(
    admin_client: Client, service: Make, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = service("good"), service("bad")
    service("shadowed", api_key_env=VARIABLE)
    monkeypatch.setenv(VARIABLE, "the-environment-s-key")
    for name in ("good", "bad", "shadowed", "gone"):
        stored(service=name)
    provider.misbehave("refuse", why="auth", service="bad")
    health.check(good.config)
    health.check(bad.config)
    shown = page(admin_client)
    for words in (
        "sk-o...xyz",
        "in use",
        "valid",
        "refused",
        f"{VARIABLE} is set and wins",
        "there is no such service",
    ):
        assert f">{words}<" in shown


def test_a_key_that_cannot_be_decrypted_is_told(admin_client: Client, service: Make, settings: Settings) -> None:
    service("first")
    row = stored()
    ProviderKey.objects.filter(pk=row.pk).update(ciphertext=row.ciphertext[:-8] + "AAAAAAA=")
    snapshot.forget_all()
    for address in (LIST, change(row)):
        assert "encrypted with another OXIDE_SECRET_KEY: enter it again" in page(admin_client, address)
    ((level, message),) = ask_providers(admin_client, row)
    assert (level, message) == ("warning", "first: The stored key cannot be read. Enter it again.")


def test_keys_are_tested_with_their_providers(admin_client: Client, service: Make, provider: FakeProvider) -> None:
    service("first")
    service("second")
    service("third", base_url="http://127.0.0.1:9/v1")
    provider.misbehave("refuse", why="auth", service="second")
    rows = [stored(service=name) for name in ("first", "second", "third", "gone")]
    said = {message: level for level, message in ask_providers(admin_client, *rows)}
    assert said.pop("first: API key is valid. 2 models available.") == "success"
    assert said.pop("second: second does not take this API key. Check it and enter it again.") == "error"
    assert said.pop("gone: There is no such service any more. Delete the key.") == "warning"
    ((message, level),) = said.items()
    assert message.startswith("third: The API key could not be tested: third cannot be reached")
    assert level == "warning"


def test_a_new_key_is_tested_as_soon_as_it_is_saved(
    admin_client: Client, service: Make, provider: FakeProvider
) -> None:
    service("first")
    provider.misbehave("refuse", why="auth", service="first")
    answer = admin_client.post(ADD, {"service": "first", "api_key": CANARY, "_continue": "ask"}, follow=True)
    assert canary.MARK not in answer.content.decode()
    said = [(message.level_tag, message.message) for message in answer.context["messages"]]
    assert said[-1] == ("error", "first: first does not take this API key. Check it and enter it again.")


def test_the_service_that_a_link_names_is_chosen_already(admin_client: Client, service: Make) -> None:
    service("first")
    form = admin_client.get(ADD, {"service": "first"}).context["adminform"].form
    assert form["service"].value() == "first"


def test_a_deleted_key_is_used_no_longer(admin_client: Client, service: Make) -> None:
    service("first")
    row = stored()
    assert keyring.secret_for("first")
    form = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert admin_client.post(LIST, form).status_code == 302
    assert keyring.secret_for("first") == ""
