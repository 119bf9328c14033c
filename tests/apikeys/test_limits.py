from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django_ratelimit import core as ratelimit
from rest_framework.test import APIClient

from apikeys import limits
from apikeys.identity import Scope
from tests.apikeys.conftest import Limit
from tests.people import access_token, bearer, make_key, make_user

pytestmark = pytest.mark.django_db(transaction=True)

SERVICES = "/api/services/"


def told(answer: Any) -> tuple[int, int]:
    return int(answer["X-RateLimit-Limit"]), int(answer["X-RateLimit-Remaining"])


def test_each_answer_tells_what_is_left(client: APIClient, limit: Limit) -> None:
    limit("3/d", "0")
    answers = [client.get(SERVICES) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [told(answer) for answer in answers] == [(3, 2), (3, 1), (3, 0), (3, 0)]
    resets = {int(answer["X-RateLimit-Reset"]) for answer in answers}
    assert 0 < min(resets) - time.time() <= 86_401


def test_who_calls_too_often_is_told_when_to_come_back(client: APIClient, limit: Limit) -> None:
    limit("1/m", "0")
    while (answer := client.get(SERVICES)).status_code == 200:
        pass
    seconds = int(answer["Retry-After"])
    assert 0 < seconds <= 60
    assert answer.json() == {
        "error": "Rate limit exceeded",
        "detail": f"Too many requests. Retry after {seconds} seconds.",
        "code": "RATE_LIMIT_EXCEEDED",
    }
    assert int(answer["X-RateLimit-Reset"]) - seconds <= time.time()


def test_waiting_as_long_as_told_helps(client: APIClient, limit: Limit, later: Any) -> None:
    limit("1/m", "0")
    while (answer := client.get(SERVICES)).status_code == 200:
        pass
    later(int(answer["Retry-After"]))
    assert client.get(SERVICES).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/nothing", 404),
        ("get", "/api", 404),
        ("get", "/v1/nothing", 404),
        ("get", "/api/services/nobody/", 404),
        ("delete", SERVICES, 405),
        ("post", "/api/tasks/execute/", 400),
        ("post", "/auth/login", 400),
        ("options", SERVICES, 200),
        ("head", SERVICES, 200),
    ],
)
def test_errors_are_counted_and_tell_it_too(
    client: APIClient, limit: Limit, method: str, path: str, status: int
) -> None:
    limit("50/d", "0")
    body = {"format": "json", "data": {}} if method == "post" else {}
    answer = getattr(client, method)(path, **body)
    assert answer.status_code == status
    assert told(answer) == (50, 49)


def test_a_host_that_is_not_served_is_counted_too(client: APIClient, limit: Limit) -> None:
    limit("50/d", "0")
    answer = client.get(SERVICES, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert told(answer) == (50, 49)


def test_counting_tokens_takes_nothing_from_the_limit_of_other_requests(client: APIClient, limit: Limit) -> None:
    limit("2/d", "0")
    counted = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
    answers = [client.post("/v1/messages/count_tokens", counted, format="json") for _ in range(21)]
    assert {answer.status_code for answer in answers[:20]} == {200}
    assert [told(answer) for answer in (answers[0], answers[19])] == [(20, 19), (20, 0)]
    assert answers[0]["anthropic-ratelimit-requests-remaining"] == "19"
    assert (answers[20].status_code, answers[20].json()["error"]["type"]) == (429, "rate_limit_error")
    assert told(client.post("/v1/messages", {}, format="json")) == (2, 1)
    assert told(client.get(SERVICES)) == (2, 0)


def test_pages_that_are_not_of_the_api_are_not_counted(client: APIClient, limit: Limit) -> None:
    limit("1/d", "0")
    for _ in range(3):
        assert client.get("/admin/login/").status_code == 200


def test_nobody_is_refused_because_a_second_ends_while_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(1_790_000_000)
    monkeypatch.setattr(ratelimit, "time", SimpleNamespace(time=lambda: next(seconds)))
    for _ in range(100):  # each count takes a second, and one of them the last of the window
        allowance = limits.usage(None, "anonymous", "127.0.0.1", "100000/m", increment=True)
        assert allowance
        assert not allowance.exceeded


def test_zero_is_no_limit(client: APIClient, limit: Limit) -> None:
    limit("0", "0")
    answer = client.get(SERVICES)
    assert answer.status_code == 200
    assert "X-RateLimit-Limit" not in answer


def test_addresses_are_counted_apart(client: APIClient, limit: Limit) -> None:
    limit("1/d", "0")
    for address in ("203.0.113.1", "203.0.113.2", "2001:db8:0:1::1", "2001:db8:0:2::1"):
        assert client.get(SERVICES, REMOTE_ADDR=address).status_code == 200
        assert client.get(SERVICES, REMOTE_ADDR=address).status_code == 429
    assert client.get(SERVICES, REMOTE_ADDR="2001:db8:0:1::2").status_code == 429


@pytest.mark.usefixtures("identity_on")
def test_whoever_is_known_has_a_limit_of_their_own(client: APIClient, limit: Limit) -> None:
    make_user("ada")
    make_user("bob")
    callers = [access_token("ada"), access_token("bob"), make_key("ada", Scope.READ)]
    limit("2/d", "5/d")
    for caller in callers:
        answers = [client.get(SERVICES, headers=bearer(caller)) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert told(answers[0]) == (5, 4)
    assert told(client.get(SERVICES)) == (2, 1)


@pytest.mark.usefixtures("identity_on")
def test_who_is_not_known_is_counted_by_address_whatever_they_send(client: APIClient, limit: Limit) -> None:
    limit("3/d", "1000/d")
    answers = [client.get(SERVICES, headers=bearer(f"ox-guess{number}_x")) for number in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert told(answers[0]) == (3, 2)


@pytest.mark.usefixtures("identity_on")
def test_an_anonymous_limit_of_zero_does_not_free_those_who_are_known(client: APIClient, limit: Limit) -> None:
    secret = make_key()
    limit("0", "1/d")
    assert [client.get(SERVICES, headers=bearer(secret)).status_code for _ in range(2)] == [200, 429]


def test_many_callers_keep_their_counters(client: APIClient, limit: Limit) -> None:
    limit("1/d", "0")
    for number in range(1000):
        client.get("/api/nothing", REMOTE_ADDR=f"203.0.{number // 250}.{number % 250}")
    assert client.get("/api/nothing", REMOTE_ADDR="203.0.0.0").status_code == 429


def test_of_250_calls_at_once_100_pass(limit: Limit) -> None:
    limit("100/d", "0")

    def call(_number: int) -> int:
        return int(APIClient().get("/api/nothing").status_code)

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(call, range(250)))
    assert statuses.count(404) == 100
    assert statuses.count(429) == 150
