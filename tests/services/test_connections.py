"""What a provider says of keys that are not those of the call."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apikeys import keyring
from apikeys.models import ProviderKey
from services import connections, directory, health, keys
from services.models import Service
from tests import canary
from tests.fake_provider import FakeProvider

Make = Callable[..., Service]

VARIABLE = "CONNECTIONS_TEST_KEY"
MINE = canary.provider_key("in force", end="-abc")
OTHER = canary.provider_key("quite another", start="gw-")  # nothing in common with the first


@pytest.fixture
def first(service: Make, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv(VARIABLE, MINE)
    return service("first", api_key_env=VARIABLE)


@pytest.fixture
def said(first: Service, provider: FakeProvider) -> Callable[[], str]:
    """What is shown when the provider of the first service quotes the other key."""

    def ask() -> str:
        provider.misbehave("status", service="first", status=500, body={"error": {"message": f"No: {OTHER}, {MINE}"}})
        detail = health.check(first.config).list_problem
        assert "No: " in detail
        return detail

    return ask


def test_a_key_that_nobody_knows_cannot_be_masked(said: Callable[[], str]) -> None:
    assert OTHER in said()
    assert MINE not in said()


def test_the_stored_key_of_another_service_is_masked(said: Callable[[], str]) -> None:
    ProviderKey.store("second", OTHER)
    keyring.stored_keys.reload()
    assert OTHER not in said()


def test_the_key_of_another_service_in_the_environment_is_masked(
    said: Callable[[], str], service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTIONS_OTHER_KEY", OTHER)
    service("second", api_key_env="CONNECTIONS_OTHER_KEY")
    directory.directory.reload()
    assert OTHER not in said()


def test_an_earlier_key_of_the_service_is_masked(
    first: Service, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, OTHER)
    connections.adapter_for(first.config)
    monkeypatch.setenv(VARIABLE, MINE)
    assert OTHER not in said()


def test_a_key_that_was_tried_is_masked_then_and_later(
    first: Service, said: Callable[[], str], provider: FakeProvider
) -> None:
    provider.misbehave("status", service="first", status=500, body={"error": {"message": f"No: {OTHER}, {MINE}"}})
    tried = keys.test(first.config, OTHER).message
    assert "No: [key], [key]" in tried
    assert OTHER not in said()


def test_a_database_that_is_away_keeps_no_provider_from_being_explained(
    said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said()

    def fail() -> None:
        raise AssertionError("It was asked.")

    keyring.stored_keys.forget()
    directory.directory.forget()
    monkeypatch.setattr(directory.directory, "get", fail)
    monkeypatch.setattr(keyring.stored_keys, "get", fail)
    assert "500" in said()
