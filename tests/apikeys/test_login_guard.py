from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from asgiref.local import Local
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys import counters, hashing
from apikeys.identity import Role
from apikeys.login_guard import account_key
from tests.people import PASSWORD, log_in, make_user
from tests.servers import Redis

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/admin/login/"
SHARED = "apikeys.counters.SharedCounters"


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


ZERO_WIDTH = ["a\u200bda", "ada\ufeff", "a\u202eda"]


@pytest.mark.parametrize("name", ["Ada", "ADA", " ada", "ada ", "a da", "\tada", "ａｄａ", *ZERO_WIDTH])  # noqa: RUF001
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


def at_once(number: int, attempt: Callable[[int], Any]) -> list[Any]:
    """What each of so many attempts comes to, all begun in the same moment."""
    together = threading.Barrier(number)

    def begin(index: int) -> Any:
        together.wait()
        try:
            return attempt(index)
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many passwords were being hashed, each time that one more was."""
    found: list[int] = []
    lock = threading.Lock()
    now = 0
    real = ModelBackend.authenticate

    def authenticate(*args: Any, **kwargs: Any) -> Any:
        nonlocal now
        with lock:
            now += 1
            found.append(now)
        time.sleep(0.02)
        try:
            return real(*args, **kwargs)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(ModelBackend, "authenticate", authenticate)
    return found


@pytest.fixture(params=["memory", "redis"])
def counted_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "memory":
        yield "memory"
        return
    with Redis() as server:
        monkeypatch.setitem(caches.settings, "counters", {"BACKEND": SHARED, "LOCATION": server.url})
        monkeypatch.setattr(caches, "_connections", Local())
        yield "redis"
        with redis.Redis.from_url(server.url) as client:
            assert client.dbsize() > 0
    counters._links.clear()


@pytest.mark.usefixtures("counted_in")
def test_of_45_wrong_logins_at_once_from_one_address_30_are_judged_a_few_at_a_time(hashed: list[int]) -> None:
    statuses = at_once(45, lambda index: fail(APIClient(), 1, name=f"user{index}")[0])
    assert sorted(statuses) == [401] * 30 + [429] * 15
    assert len(hashed) == 30
    assert max(hashed) <= hashing.AT_ONCE


@pytest.mark.usefixtures("counted_in")
def test_of_45_wrong_logins_at_once_to_one_account_10_are_judged(hashed: list[int]) -> None:
    statuses = at_once(45, lambda index: fail(APIClient(), 1, address=f"203.0.113.{index}")[0])
    assert sorted(statuses) == [401] * 10 + [429] * 35
    assert len(hashed) == 10


def test_many_right_logins_at_once_all_succeed() -> None:
    assert at_once(20, lambda _: log_in(APIClient(), "ada").status_code) == [200] * 20


def test_whoever_would_wait_too_long_is_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_waiting", threading.BoundedSemaphore(1))
    monkeypatch.setattr(hashing, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(hashing, "PATIENCE_SECONDS", 0.01)
    with hashing.turn():
        answer = log_in(APIClient(), "ada")
    assert (answer.status_code, answer["Retry-After"]) == (429, "5")
    assert answer.json()["detail"] == "Too many logins at the same time. Retry after 5 seconds."
    assert log_in(APIClient(), "ada").status_code == 200


# Devices that logged in before


@pytest.mark.parametrize("door", ["/auth/login", "/login", ADMIN])
def test_nobody_locks_a_known_browser_out_of_its_account(door: str) -> None:
    known = APIClient()
    assert enter(known, door) in (200, 302)
    known.cookies.pop("sessionid", None)
    assert fail(APIClient(), 40, address="203.0.113.9")[-1] == 429
    assert fail(APIClient(), 40)[-1] == 429
    assert log_in(APIClient(), "ada").status_code == 429
    assert enter(known, door) in (200, 302)
    assert "oxide_device" in known.cookies


def enter(browser: APIClient, door: str) -> int:
    if door == "/auth/login":
        return int(log_in(browser, "ada").status_code)
    answer = browser.post(door, {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return 302


def test_a_known_browser_has_ten_wrong_attempts_of_its_own() -> None:
    known = APIClient()
    log_in(known, "ada")
    assert fail(known, 12) == [401] * 10 + [429] * 2
    assert fail(APIClient(), 1) == [401]


def test_a_cookie_that_is_made_up_or_another_accounts_helps_nobody() -> None:
    make_user("bob")
    bob = APIClient()
    log_in(bob, "bob")
    fail(APIClient(), 10)
    assert log_in(bob, "ada").status_code == 429
    bob.cookies["oxide_device"] = bob.cookies["oxide_device"].value.replace(".", ".0", 1)
    assert log_in(bob, "bob").status_code == 200
    assert log_in(bob, "ada").status_code == 429


def test_the_cookie_goes_nowhere_else_and_no_script_reads_it() -> None:
    by_api, by_page = APIClient(), APIClient()
    log_in(by_api, "ada")
    enter(by_page, "/login")
    cookies = [client.cookies["oxide_device"] for client in (by_api, by_page)]
    assert [cookie["path"] for cookie in cookies] == ["/auth/login", "/"]
    assert all(cookie["httponly"] and cookie["samesite"] == "Lax" for cookie in cookies)


# The login pages are under the rate limit


@pytest.mark.parametrize("door", ["/auth/login", "/login", "/login/", ADMIN, "/admin/login"])
def test_every_door_is_under_the_rate_limit(door: str, limit: Callable[[str, str], None], hashed: list[int]) -> None:
    limit("2/d", "0")
    body = {"username": "somebody", "password": "wrong"}
    statuses = [APIClient().post(door, body).status_code for _ in range(4)]
    assert statuses[2:] == [429, 429]
    assert len(hashed) <= 2


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
