"""Who did what, from where: one line each, whatever names callers choose, and never a secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys import security_log
from apikeys.identity import Role
from apikeys.models import ClientKey
from services.models import Service
from snapshots import snapshot
from tests import canary
from tests.people import PASSWORD, access_token, bearer, log_in, make_key, make_user

MakeService = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "203.0.113.7"
KEY = canary.provider_key("security log")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    caplog.set_level(logging.INFO, "oxide.security")
    yield lambda: [each.getMessage() for each in caplog.records if each.name == "oxide.security"]
    for text in (PASSWORD, KEY):
        assert text not in caplog.text


Lines = Callable[[], list[str]]


@pytest.fixture
def ada(settings: Settings) -> User:
    settings.AUTH_ENABLED = True
    snapshot.forget_all()
    caches["counters"].clear()
    return make_user("ada", Role.ADMIN, is_staff=True, is_superuser=True)


@pytest.fixture
def api(ada: User, lines: Lines, caplog: pytest.LogCaptureFixture) -> APIClient:
    """What she does over the API; her login itself is not looked at."""
    client = APIClient(REMOTE_ADDR=ADDRESS, headers=bearer(access_token("ada")))
    caplog.clear()
    return client


@pytest.fixture
def pages(ada: User, lines: Lines, caplog: pytest.LogCaptureFixture) -> Client:
    client = Client(REMOTE_ADDR=ADDRESS)
    client.force_login(ada)
    caplog.clear()
    return client


def by_ada(event: str, rest: str = "") -> str:
    return f"event={event} user=ada address={ADDRESS} {rest}".rstrip()


def test_logins_of_every_door_and_how_they_end(ada: User, lines: Lines) -> None:
    client = APIClient(REMOTE_ADDR=ADDRESS)
    pair = log_in(client, "ada").json()
    log_in(client, "ada", "wrong")
    client.post("/auth/logout", {"refresh_token": pair["refresh_token"]}, format="json")
    page = Client(REMOTE_ADDR=ADDRESS)
    page.post("/admin/login/", {"username": "ada", "password": "wrong"})
    page.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    page.post("/logout")
    assert lines() == [
        by_ada("login", "door=/auth/login"),
        by_ada("login_failed"),
        by_ada("logout"),
        by_ada("login_failed"),
        by_ada("login", "door=/admin/login/"),
        by_ada("logout"),
    ]


def test_a_lock_out_is_told_when_it_begins_and_each_time_it_holds(ada: User, lines: Lines) -> None:
    client = APIClient(REMOTE_ADDR=ADDRESS)
    for _ in range(11):
        log_in(client, "ada", "wrong")
    *failed, locked, refused = lines()
    assert failed == [by_ada("login_failed")] * 10
    assert locked.startswith(by_ada("login_locked", 'locked="an account" seconds='))
    assert refused == by_ada("login_refused")


def test_a_password_typed_as_the_name_is_not_logged(ada: User, lines: Lines) -> None:
    client = APIClient(REMOTE_ADDR=ADDRESS)
    for _ in range(11):
        log_in(client, PASSWORD, "wrong")
    assert lines()[0] == f"event=login_failed user=unknown-account address={ADDRESS}"
    assert PASSWORD not in "".join(lines())


def test_a_replayed_refresh_token(ada: User, lines: Lines) -> None:
    client = APIClient(REMOTE_ADDR=ADDRESS)
    token = log_in(client, "ada").json()["refresh_token"]
    for _ in range(2):
        client.post("/auth/refresh", {"refresh_token": token}, format="json")
    assert lines()[-1] == by_ada("refresh_token_replayed")
    assert token not in "".join(lines())


def test_keys_for_programs(api: APIClient, lines: Lines) -> None:
    made = api.post("/api/api-keys/clients/", {"name": "robot", "scopes": ["read"]}, format="json").json()
    api.delete(f"/api/api-keys/clients/{made['id']}/")
    assert lines() == [
        by_ada("key_created", f"name=robot scopes=read prefix={made['prefix']}"),
        by_ada("key_deleted", f"name=robot prefix={made['prefix']}"),
    ]
    assert made["key"] not in "".join(lines())


def test_keys_of_providers(api: APIClient, lines: Lines, service: MakeService, settings: Settings) -> None:
    settings.KEY_STORE = "database"
    service("first", api_key_env="SECURITY_LOG_KEY")
    for path in ("test", "update"):
        assert (
            api.post(f"/api/api-keys/{path}/", {"service": "first", "api_key": KEY}, format="json").status_code == 200
        )
    assert lines() == [
        by_ada("provider_key_tested", "name=first"),
        by_ada("provider_key_changed", "name=first stored_in=database"),
    ]


def test_rules_and_services(api: APIClient, lines: Lines, service: MakeService) -> None:
    service("first")
    rule = {"id": "r", "task_type": "chat", "service": "first"}
    assert api.post("/api/routing/rules/", rule, format="json").status_code == 201
    assert api.patch("/api/routing/rules/r/", {"priority": 3}, format="json").status_code == 200
    assert api.delete("/api/routing/rules/r/").status_code == 204
    assert api.post("/api/services/first/disable/").status_code == 200
    assert lines() == [
        by_ada("rule_created", "name=r"),
        by_ada("rule_changed", "name=r fields=priority"),
        by_ada("rule_deleted", "name=r"),
        by_ada("service_changed", "name=first fields=enabled enabled=False"),
    ]


def test_a_reload_and_a_changed_policy(api: APIClient, lines: Lines, settings: Settings, tmp_path: Path) -> None:
    settings.CONFIG_FILE = tmp_path / "oxide.yaml"
    settings.CONFIG_FILE.write_text("services: {echo: {type: builtin}}\nsecurity: {cors_origins: [http://a.example]}\n")
    assert api.post("/api/config/reload/").status_code == 200
    reloaded, policy = lines()
    assert reloaded.startswith(by_ada("configuration_reloaded", 'changes="services: 1 added (echo)'))
    assert policy == by_ada("policy_changed", "fields=cors_origins")


def test_what_is_done_in_the_admin_pages(pages: Client, lines: Lines, service: MakeService) -> None:
    first = service("first")
    form: dict[str, Any] = {"service": "first", "api_key": KEY}
    assert pages.post("/admin/apikeys/providerkey/add/", form).status_code == 302
    form = {"action": "switch_off", "_selected_action": [first.pk]}
    pages.post("/admin/services/service/", form)
    form = {"name": "robot", "owner": User.objects.get().pk, "scopes": ["read"]}
    assert pages.post("/admin/apikeys/clientkey/add/", form).status_code == 200
    form = {
        "username": "bob",
        "role": "viewer",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "usable_password": "true",
    }
    assert pages.post("/admin/auth/user/add/", form).status_code == 302
    bob = User.objects.get(username="bob")
    changed = {"password1": f"{PASSWORD}x", "password2": f"{PASSWORD}x", "usable_password": "true"}
    assert pages.post(f"/admin/auth/user/{bob.pk}/password/", changed).status_code == 302
    robot = ClientKey.objects.get()
    pages.post(f"/admin/apikeys/clientkey/{robot.pk}/delete/", {"post": "yes"})
    assert lines() == [
        by_ada("provider_key_created", "name=first"),
        by_ada("service_changed", "name=first fields=enabled enabled=False"),
        by_ada("key_created", "name=robot"),
        by_ada("user_created", "name=bob"),
        by_ada("user_changed", "name=bob fields=password"),
        by_ada("key_deleted", "name=robot"),
    ]


def test_who_was_refused(ada: User, lines: Lines) -> None:
    key = make_key("robot", owner=ada)
    APIClient(REMOTE_ADDR=ADDRESS).post("/api/config/reload/", headers=bearer(key))
    (line,) = lines()
    expected = f"event=permission_refused user=key:robot address={ADDRESS} needs=admin method=POST"
    assert line == f"{expected} path=/api/config/reload/"


def test_a_key_that_nobody_owns(ada: User, lines: Lines) -> None:
    key = make_key("orphan", owner=None)
    assert APIClient(REMOTE_ADDR=ADDRESS).get("/api/services/", headers=bearer(key)).status_code == 401
    prefix = key.partition("_")[0]
    assert lines() == [f"event=ownerless_key_refused user=- address={ADDRESS} prefix={prefix}"]


HOSTILE = [
    "ada\nevent=login user=admin",
    "\x1b[2J\x1b[31m",
    "a\r\nb",
    "x\u2028y",
    "\x7f\x9b31m",
    'a" user="b',
    "é" * 150,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_makes_another_line_or_steers_a_terminal(ada: User, lines: Lines, name: str) -> None:
    log_in(APIClient(REMOTE_ADDR=ADDRESS), name, "wrong")
    (line,) = lines()
    assert line.isascii()
    assert line.isprintable()
    assert re.sub(r'"([^"\\]|\\.)*"', "...", line).count("user=") == 1


def test_a_long_value_is_cut(lines: Lines) -> None:
    security_log.record("something", user="a" * 10_000)
    assert len(lines()[0]) < 400


def test_an_address_is_told_in_full(ada: User, lines: Lines) -> None:
    log_in(APIClient(REMOTE_ADDR="2001:db8::1:2"), "ada", "wrong")
    assert "address=2001:db8::1:2" in lines()[0]


def test_it_is_kept_however_little_else_is_said(settings: Any) -> None:
    assert settings.LOGGING["loggers"]["oxide.security"] == {"level": "INFO"}
