from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys import accounts, client_keys
from apikeys.derivation import derive
from apikeys.identity import Role, Scope
from apikeys.models import ClientKey
from snapshots import snapshot
from tests.people import access_token, bearer, in_the_past, make_key, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("identity_on")]

CLIENTS = "/api/api-keys/clients/"


def status(client: APIClient, secret: str) -> int:
    return int(client.get("/api/services/", headers=bearer(secret)).status_code)


def models(client: APIClient, secret: str) -> int:
    return int(client.get("/v1/models", headers=bearer(secret)).status_code)


@pytest.fixture
def admin() -> dict[str, str]:
    make_user("root", Role.ADMIN)
    return bearer(access_token("root"))


def make(client: APIClient, headers: dict[str, str], **body: Any) -> Any:
    return client.post(CLIENTS, {"name": "program", **body}, format="json", headers=headers)


def test_a_key_is_made_used_and_revoked(client: APIClient, admin: dict[str, str]) -> None:
    answer = make(client, admin)
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    made = answer.json()
    assert made["key"].startswith(made["prefix"] + "_")
    assert made["prefix"].startswith("ox-")
    assert (made["owner"], made["scopes"], made["enabled"]) == ("root", ["execute"], True)
    assert models(client, made["key"]) == 200
    assert status(client, made["key"]) == 403
    listed = client.get(CLIENTS, headers=admin)
    assert listed.json() == {"total": 1, "keys": [{k: v for k, v in made.items() if k != "key"}]}
    assert made["key"] not in listed.content.decode()
    assert client.delete(f"{CLIENTS}{made['id']}", headers=admin).status_code == 204
    assert models(client, made["key"]) == 401
    assert client.delete(f"{CLIENTS}{made['id']}/", headers=admin).status_code == 404


def test_the_key_itself_stands_nowhere_in_the_database() -> None:
    secret = make_key()
    row = ClientKey.objects.values().get()
    assert secret.partition("_")[2] not in str(row)
    assert row["digest"] != secret


def test_wherever_a_credential_stands_the_verdict_is_the_same(client: APIClient) -> None:
    make_user("ada")
    credentials = {
        "key": (make_key(), 200),
        "weak key": (make_key("weak", Scope.EXECUTE), 403),
        "ownerless key": (make_key("ownerless", *Scope, owner=None), 401),
        "token": (access_token("ada"), 200),
        "wrong key": ("ox-abcdefgh_wrong", 401),
        "wrong token": ("a.b.c", 401),
    }
    for name, (credential, expected) in credentials.items():
        places = [
            {"Authorization": f"Bearer {credential}"},
            {"Authorization": f"bearer  {credential} "},
            {"x-api-key": credential},
            {"api-key": credential},
            {"Authorization": "Basic b3RoZXI6cHJveHk=", "x-api-key": credential},
        ]
        answers = [client.get("/api/services/", headers=place) for place in places]
        assert [answer.status_code for answer in answers] == [expected] * len(places), name
        assert len({answer.content for answer in answers}) == 1, name


def test_a_bearer_comes_before_the_other_headers(client: APIClient) -> None:
    assert client.get("/api/services/", headers={**bearer("wrong"), "x-api-key": make_key()}).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"expires_at": in_the_past()},
        {"digest": "0" * 64},
    ],
    ids=["disabled", "expired", "another digest"],
)
def test_a_key_dies_at_once(client: APIClient, change: dict[str, Any]) -> None:
    secret = make_key()
    assert status(client, secret) == 200
    key = ClientKey.objects.get()
    for name, value in change.items():
        setattr(key, name, value)
    key.save()
    assert status(client, secret) == 401


def test_a_key_expires_by_itself(client: APIClient, later: Callable[[float], None]) -> None:
    secret = make_key(expires_at=timezone.now() + timedelta(minutes=1))
    assert status(client, secret) == 200
    later(61)
    assert status(client, secret) == 401


def test_a_key_that_is_nearly_right_is_wrong(client: APIClient) -> None:
    secret = make_key()
    last = "a" if secret[-1] != "a" else "b"
    for wrong in (secret[:-1], secret[:-1] + last, secret + "a", secret.partition("_")[0], secret.upper()):
        assert status(client, wrong) == 401


def test_a_key_can_do_no_more_than_its_owner(client: APIClient) -> None:
    owner = make_user("ada", Role.ADMIN)
    secret = make_key("program", Scope.READ, Scope.ADMIN, owner=owner)
    assert client.get("/auth/me", headers=bearer(secret)).json()["scopes"] == ["admin", "read"]
    owner.groups.clear()
    assert client.get("/auth/me", headers=bearer(secret)).json()["scopes"] == ["read"]
    owner.is_active = False
    owner.save()
    assert status(client, secret) == 401
    owner.delete()
    assert not ClientKey.objects.exists()


def test_nobody_grants_what_they_lack(client: APIClient) -> None:
    caller = bearer(make_key("caller", Scope.ADMIN))
    answer = make(client, caller, scopes=["admin", "execute"])
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert "execute" in answer.json()["detail"]
    assert make(client, caller, scopes=["admin"]).status_code == 201


def test_a_key_belongs_to_the_owner_of_the_key_that_made_it(client: APIClient) -> None:
    owner = make_user("ada", Role.ADMIN)
    caller = make_key("caller", *Scope, owner=owner)
    assert make(client, bearer(caller)).json()["owner"] == "ada"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "line\nbreak"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"owner": "ada"}, "owner"),
        ({"enabled": True}, "enabled"),
    ],
)
def test_a_wrong_field_is_named(client: APIClient, admin: dict[str, str], body: dict[str, Any], field: str) -> None:
    answer = make(client, admin, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert field in answer.json()["detail"]
    assert not ClientKey.objects.exists()


def test_a_name_is_given_once(client: APIClient, admin: dict[str, str]) -> None:
    assert make(client, admin).status_code == 201
    again = make(client, admin)
    assert again.status_code == 400
    assert "another name" in again.json()["detail"]


def test_a_key_made_while_authentication_was_off_is_refused_until_somebody_owns_it(
    client: APIClient, settings: Settings
) -> None:
    settings.AUTH_ENABLED = False
    snapshot.forget_all()
    made = make(client, {}, expires_at="2099-01-01T00:00:00Z").json()
    assert (made["owner"], made["expires_at"]) == (None, "2099-01-01T00:00:00Z")
    settings.AUTH_ENABLED = True
    snapshot.forget_all()
    refused = client.get("/api/services/", headers=bearer(made["key"]))
    assert refused.status_code == 401
    assert "no owner" in refused.json()["detail"]
    assert "administrator" in refused.json()["detail"]
    key = ClientKey.objects.get()
    key.owner, key.scopes = make_user("ada"), ["read", "execute"]
    key.save()
    assert status(client, made["key"]) == 200
    assert client.get("/auth/me", headers=bearer(made["key"])).json()["scopes"] == ["read"]


@pytest.mark.parametrize("fields", [{"enabled": False}, {"expires_at": in_the_past()}], ids=["disabled", "expired"])
def test_an_ownerless_key_that_is_void_anyway_is_refused_like_any_other(
    client: APIClient, fields: dict[str, Any]
) -> None:
    secret = make_key(owner=None, **fields)
    found = {client.get("/v1/models", headers=bearer(key)).content for key in (secret, "ox-abcdefgh_wrong")}
    assert len(found) == 1


def test_the_id_of_a_deleted_key_is_not_given_to_another_one() -> None:
    make_key("first")
    first = ClientKey.objects.get()
    number = first.pk
    first.delete()
    make_key("second")
    assert ClientKey.objects.get().pk > number


def test_a_user_and_a_key_of_one_name_are_different_callers(client: APIClient) -> None:
    ada = make_user("ada")
    make_key("ada", owner=ada)
    key = ClientKey.objects.get()
    secret = key.draw_secret()
    key.save()
    found = client_keys.holder_of(secret)
    account = accounts.active(ada.pk)
    assert found
    assert account
    assert (found.caller, account.identity.caller) == (f"key:{key.pk}", f"user:{ada.pk}")


def test_a_key_is_checked_without_the_database(client: APIClient) -> None:
    secret = make_key(owner=make_user("ada"))
    status(client, secret)
    with CaptureQueriesContext(connection) as queries:
        assert status(client, secret) == 200
    assert len(queries) == 0, queries.captured_queries


def test_the_last_use_is_written_at_most_once_a_minute(client: APIClient, later: Callable[[float], None]) -> None:
    secret = make_key()
    status(client, secret)
    assert ClientKey.objects.get().last_used_at is None
    client_keys.write_last_used()
    first = ClientKey.objects.get().last_used_at
    assert first is not None
    later(30)
    status(client, secret)
    client_keys.write_last_used()
    assert ClientKey.objects.get().last_used_at == first
    later(31)
    status(client, secret)
    client_keys.write_last_used()
    assert ClientKey.objects.get().last_used_at > first  # type: ignore[operator]  # both are there


def test_a_refused_key_is_not_noted_as_used(client: APIClient) -> None:
    secret = make_key(enabled=False)
    status(client, secret)
    client_keys.write_last_used()
    assert ClientKey.objects.get().last_used_at is None


def test_keys_outlive_a_new_secret_key(client: APIClient, settings: Settings) -> None:
    old = make_key()
    new = [derive("n" * 40, "keys for programs")]
    settings.CLIENT_KEY_DIGEST_KEYS = [*new, *settings.CLIENT_KEY_DIGEST_KEYS]
    assert status(client, old) == 200
    settings.CLIENT_KEY_DIGEST_KEYS = new
    assert status(client, old) == 401


def test_derived_keys_differ_by_secret_and_purpose() -> None:
    keys = {derive(secret, purpose) for secret in ("a" * 32, "b" * 32) for purpose in ("tokens", "keys")}
    assert len(keys) == 4
    assert all(len(bytes.fromhex(key)) == 32 for key in keys)
    assert settings.SECRET_KEY not in keys
