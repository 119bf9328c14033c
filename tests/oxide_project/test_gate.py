from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys import policy
from apikeys.identity import Role
from snapshots import snapshot
from tests.people import bearer, make_key, make_user

pytestmark = pytest.mark.django_db(transaction=True)

SERVICES = "/api/services/"
RULES = "/api/routing/rules/"
LISTED = "https://app.example.org"
FOREIGN = ["https://evil.example", "null", "https://app.example.org.evil.example", "http://app.example.org", "nonsense"]
RULE = {"task_type": "chat", "service": "nobody"}


@pytest.fixture
def listed() -> None:
    policy.declare(cors_origins=[LISTED])


def preflight(client: APIClient, origin: str, path: str = RULES, headers: str = "authorization, content-type") -> Any:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return client.options(path, headers={"Origin": origin, **asked})


def allowed_origin(answer: Any) -> str | None:
    found: str | None = answer.headers.get("Access-Control-Allow-Origin")
    return found


# Web pages elsewhere


@pytest.mark.usefixtures("listed")
def test_a_listed_page_may_ask_and_read(client: APIClient) -> None:
    asked = preflight(client, LISTED)
    assert (asked.status_code, asked.content) == (204, b"")
    assert allowed_origin(asked) == LISTED
    assert "POST" in asked["Access-Control-Allow-Methods"]
    assert asked["Access-Control-Allow-Headers"] == "authorization, content-type"
    answer = client.get(SERVICES, headers={"Origin": LISTED})
    assert (answer.status_code, allowed_origin(answer)) == (200, LISTED)
    exposed = answer["Access-Control-Expose-Headers"].split(", ")
    assert {"X-RateLimit-Remaining", "x-oxide-cost", "x-should-retry", "retry-after-ms", "request-id"} <= set(exposed)
    assert "Origin" in answer["Vary"]


@pytest.mark.usefixtures("listed")
def test_errors_can_be_read_by_a_listed_page_too(client: APIClient) -> None:
    answer = client.get("/api/nothing", headers={"Origin": LISTED})
    assert (answer.status_code, allowed_origin(answer)) == (404, LISTED)


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_page_may_read(client: APIClient, origin: str) -> None:
    for answer in (preflight(client, origin), client.get(SERVICES, headers={"Origin": origin})):
        assert allowed_origin(answer) is None
        assert "Access-Control-Allow-Methods" not in answer
        assert "Origin" in answer["Vary"]


@pytest.mark.usefixtures("listed")
def test_the_browsers_own_credentials_are_never_let_through(client: APIClient) -> None:
    for answer in (preflight(client, LISTED), client.get(SERVICES, headers={"Origin": LISTED})):
        assert "Access-Control-Allow-Credentials" not in answer
        assert allowed_origin(answer) != "*"


@pytest.mark.usefixtures("listed")
def test_headers_asked_for_are_not_repeated_unseen(client: APIClient) -> None:
    asked = preflight(client, LISTED, headers="x\r\nSet-Cookie: a=b")
    assert "Access-Control-Allow-Headers" not in asked


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_changes_nothing(client: APIClient, origin: str) -> None:
    answer = client.post(RULES, RULE, format="json", headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert "cors_origins" in answer.json()["detail"]


@pytest.mark.parametrize("origin", [LISTED, "http://testserver", "https://testserver", None])
@pytest.mark.usefixtures("listed")
def test_our_own_pages_and_listed_ones_and_programs_may(client: APIClient, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = client.post(RULES, RULE, format="json", headers=headers)
    assert answer.status_code == 400, answer.content  # it came as far as the view, which knows no such service


def test_asking_first_is_not_counted(client: APIClient, settings: Settings) -> None:
    settings.RATE_LIMIT_ANON = "5/d"
    snapshot.forget_all()
    caches["counters"].clear()
    policy.declare(cors_origins=[LISTED])
    remaining = [preflight(client, LISTED)["X-RateLimit-Remaining"] for _ in range(7)]
    assert remaining == ["5"] * 7
    assert client.get(SERVICES)["X-RateLimit-Remaining"] == "4"


# Sessions


@pytest.fixture
def identity_on(settings: Settings) -> None:
    settings.AUTH_ENABLED = True
    snapshot.forget_all()


def browser(user: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


@pytest.mark.usefixtures("identity_on")
def test_whoever_is_logged_in_to_the_pages_may_read_and_with_the_pages_token_change() -> None:
    client = browser(make_user("root", Role.ADMIN, is_staff=True, is_superuser=True))
    assert client.get(SERVICES).status_code == 200
    assert client.get("/auth/me").json()["name"] == "root"
    assert client.post(RULES, RULE, content_type="application/json").status_code == 401
    client.get("/admin/")
    token = client.get("/password").cookies["csrftoken"].value
    answer = client.post(RULES, RULE, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 400


@pytest.mark.usefixtures("identity_on")
def test_a_session_does_no_more_than_its_users_role() -> None:
    client = browser(make_user("ada"))
    assert client.get(SERVICES).status_code == 200
    user = User.objects.get()
    user.is_active = False
    user.save()
    assert client.get(SERVICES).status_code == 401


@pytest.mark.usefixtures("identity_on")
def test_credentials_count_more_than_a_session() -> None:
    client = browser(make_user("ada"))
    assert client.get(SERVICES, headers=bearer("wrong")).status_code == 401
    assert client.get("/auth/me", headers=bearer(make_key())).json()["name"] == "program"


# Identity off and on


def test_while_identity_is_off_whatever_is_sent_is_let_in(client: APIClient) -> None:
    assert client.get(SERVICES, headers=bearer("whatever")).status_code == 200


def test_identity_is_switched_on_while_running(client: APIClient, settings: Settings) -> None:
    settings.AUTH_ENABLED = None
    snapshot.forget_all()
    assert client.get(SERVICES).status_code == 200
    policy.declare(auth_enabled=True)
    answer = client.get(SERVICES)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "UNAUTHORIZED"
    assert "/auth/login" in answer.json()["detail"]


def test_who_may_not_is_told_what_is_missing(client: APIClient, settings: Settings) -> None:
    settings.AUTH_ENABLED = True
    snapshot.forget_all()
    answer = client.post(RULES, RULE, format="json", headers=bearer(make_key()))
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert "scope admin" in answer.json()["detail"]


def test_without_a_database_from_the_start_the_answer_is_503(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("no such host db.internal")

    monkeypatch.setattr(policy.policy, "_load", away)
    snapshot.forget_all()
    answer = client.get(SERVICES)
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "db.internal" not in answer.content.decode()
