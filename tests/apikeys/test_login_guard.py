from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys.identity import Role
from apikeys.login_guard import account_key
from tests.people import PASSWORD, log_in, make_user

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/admin/login/"


@pytest.fixture(autouse=True)
def ada() -> User:
    return make_user("ada", Role.ADMIN, is_staff=True, is_superuser=True)


def fail(client: APIClient, times: int, name: str = "ada", address: str = "127.0.0.1") -> list[int]:
    body = {"username": name, "password": "wrong"}
    return [client.post("/auth/login", body, format="json", REMOTE_ADDR=address).status_code for _ in range(times)]


def test_after_ten_wrong_passwords_the_right_one_does_not_help(client: APIClient) -> None:
    assert fail(client, 12) == [401] * 10 + [429] * 2
    answer = log_in(client, "ada")
    assert answer.status_code == 429
    assert answer.json()["code"] == "RATE_LIMIT_EXCEEDED"
    assert answer.json()["error"] == "Rate limit exceeded"
    seconds = int(answer["Retry-After"])
    assert 0 < seconds <= 15 * 60
    assert answer.json()["detail"] == f"Too many failed logins. Retry after {seconds} seconds."


def test_it_is_over_when_it_was_said_to_be(client: APIClient, later: Callable[[float], None]) -> None:
    fail(client, 10)
    later(int(log_in(client, "ada")["Retry-After"]))
    assert log_in(client, "ada").status_code == 200


def test_logging_in_correctly_costs_nothing(client: APIClient) -> None:
    assert [log_in(client, "ada").status_code for _ in range(35)] == [200] * 35


def test_other_accounts_go_on(client: APIClient) -> None:
    make_user("bob")
    fail(client, 11)
    assert log_in(client, "bob").status_code == 200


def test_another_address_does_not_help(client: APIClient) -> None:
    statuses = [fail(client, 1, address=f"203.0.113.{host}")[0] for host in range(12)]
    assert statuses == [401] * 10 + [429] * 2


def test_an_address_may_not_try_many_accounts(client: APIClient) -> None:
    statuses = [fail(client, 1, name=f"user{number}")[0] for number in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    answer = client.post(
        "/auth/login", {"username": "ada", "password": PASSWORD}, format="json", REMOTE_ADDR="203.0.113.7"
    )
    assert answer.status_code == 200


def test_a_header_that_anybody_can_send_gives_no_new_address(client: APIClient) -> None:
    body = {"username": "x", "password": "wrong"}
    for number in range(30):
        client.post(
            "/auth/login", {**body, "username": f"user{number}"}, format="json", HTTP_X_FORWARDED_FOR=f"1.2.3.{number}"
        )
    assert client.post("/auth/login", body, format="json", HTTP_X_FORWARDED_FOR="9.9.9.9").status_code == 429


@pytest.mark.parametrize("name", ["Ada", "ADA", " ada", "ada ", "a da", "\tada", "ａｄａ"])  # noqa: RUF001
def test_writing_the_name_otherwise_gives_no_new_attempts(client: APIClient, name: str) -> None:
    assert account_key(name) == account_key("ada")
    fail(client, 5)
    assert fail(client, 6, name=name) == [401] * 5 + [429]


def test_a_name_that_nobody_has_is_treated_as_one_that_somebody_has(client: APIClient) -> None:
    known = [log_in(client, "ada", "wrong") for _ in range(11)]
    unknown = [log_in(client, "nobody", "wrong") for _ in range(11)]
    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown]
    assert {answer.content for answer in known[:10]} == {answer.content for answer in unknown[:10]}


def test_a_name_that_nobody_has_costs_the_same_work(client: APIClient, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    ada = User.objects.get()
    ada.set_password(PASSWORD)
    ada.save()

    def took(name: str) -> float:
        begin = time.thread_time()
        log_in(client, name, "wrong")
        return time.thread_time() - begin

    times: dict[str, list[float]] = {"ada": [], "nobody": []}
    for _ in range(4):
        for name, found in times.items():
            found.append(took(name))
    known, unknown = (statistics.median(found) for found in times.values())
    assert 0.5 < known / unknown < 2


def test_many_at_once_get_no_more_attempts(client: APIClient) -> None:
    statuses: list[int] = []
    together = threading.Barrier(25)

    def try_it() -> None:
        together.wait()
        statuses.extend(fail(APIClient(), 1))
        connection.close()

    threads = [threading.Thread(target=try_it) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * 10 + [429] * 15


# The admin pages


def at_the_door(client: Client, password: str) -> Any:
    return client.post(ADMIN, {"username": "ada", "password": password})


def test_the_admin_pages_share_the_guard() -> None:
    pages = Client()
    for _ in range(5):
        assert b"Too many" not in at_the_door(pages, "wrong").content
    fail(APIClient(), 5)
    shut = at_the_door(pages, PASSWORD)
    assert shut.status_code == 200
    assert b"Too many failed logins. Retry after" in shut.content
    assert "sessionid" not in shut.cookies
    assert fail(APIClient(), 1) == [429]


def test_the_admin_pages_let_the_right_one_in() -> None:
    assert at_the_door(Client(), PASSWORD).status_code == 302


def test_every_login_goes_through_the_guard() -> None:
    assert settings.AUTHENTICATION_BACKENDS == ["apikeys.login_guard.GuardedBackend"]
