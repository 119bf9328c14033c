"""People change their own password."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys.identity import Role
from snapshots import snapshot
from tests import canary
from tests.people import PASSWORD, bearer, log_in, make_key, make_user

pytestmark = pytest.mark.django_db(transaction=True)

NEXT = canary.password("next")


@pytest.fixture(autouse=True, params=[Role.VIEWER, Role.ADMIN])
def ada(request: pytest.FixtureRequest, settings: Settings) -> User:
    settings.AUTH_ENABLED = True
    snapshot.forget_all()
    caches["counters"].clear()
    return make_user("ada", request.param)


def change(credential: str, current: str = PASSWORD, new: str = NEXT) -> Any:
    body = {"current_password": current, "new_password": new}
    return APIClient().post("/auth/password", body, format="json", headers=bearer(credential))


def test_whoever_is_logged_in_changes_it_and_all_other_logins_end() -> None:
    mine, other = (log_in(APIClient(), "ada").json() for _ in range(2))
    answer = change(mine["access_token"])
    assert answer.status_code == 200, answer.content
    for old in (mine, other):
        assert APIClient().get("/auth/me", headers=bearer(old["access_token"])).status_code == 401
    assert APIClient().get("/auth/me", headers=bearer(answer.json()["access_token"])).json()["name"] == "ada"
    assert log_in(APIClient(), "ada").status_code == 401
    assert log_in(APIClient(), "ada", NEXT).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [("wrong", NEXT, "current_password"), (PASSWORD, "short", "new_password"), (PASSWORD, PASSWORD, "new_password")],
)
def test_what_cannot_be_is_told_and_changes_nothing(current: str, new: str, field: str) -> None:
    token = log_in(APIClient(), "ada").json()["access_token"]
    answer = change(token, current, new)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert log_in(APIClient(), "ada").status_code == 200


def test_a_stolen_token_guesses_no_password() -> None:
    token = log_in(APIClient(), "ada").json()["access_token"]
    assert [change(token, f"wrong {number}").status_code for number in range(12)] == [400] * 10 + [429] * 2


def test_a_key_for_programs_has_none(ada: User) -> None:
    assert change(make_key("robot", owner=ada)).status_code == 403
    assert change("nonsense").status_code == 401


def test_while_identity_is_off_there_is_nobody_to_change(settings: Settings) -> None:
    settings.AUTH_ENABLED = False
    snapshot.forget_all()
    body = {"current_password": PASSWORD, "new_password": NEXT}
    assert APIClient().post("/auth/password", body, format="json").status_code == 403


def test_the_page_does_the_same_and_its_own_session_goes_on(ada: User) -> None:
    page, other = Client(), Client()
    for each in (page, other):
        each.force_login(ada)
    form = {"current_password": PASSWORD, "new_password": NEXT, "repeated_password": NEXT}
    assert b"Change your password" in page.get("/").content
    assert b"is changed" in page.post("/password", form).content
    assert page.get("/password").status_code == 200
    assert other.get("/password").status_code == 302
    assert log_in(APIClient(), "ada", NEXT).status_code == 200


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"current_password": "wrong"}, b"not your current password"),
        ({"repeated_password": "another"}, b"differ"),
        ({"new_password": "short", "repeated_password": "short"}, b"too short"),
        ({"new_password": ""}, b"required"),
    ],
)
def test_the_page_says_what_is_wrong(ada: User, form: dict[str, str], told: bytes) -> None:
    page = Client()
    page.force_login(ada)
    whole = {"current_password": PASSWORD, "new_password": NEXT, "repeated_password": NEXT, **form}
    assert told in page.post("/password", whole).content
    assert log_in(APIClient(), "ada").status_code == 200


def test_the_page_is_for_whoever_is_logged_in() -> None:
    answer = Client().get("/password")
    assert (answer.status_code, answer["Location"]) == (302, "/login?next=/password")
    assert Client(enforce_csrf_checks=True).post("/password", {}).status_code == 403


def test_the_admin_pages_have_no_unguarded_way(ada: User) -> None:
    page = Client()
    page.force_login(ada)
    form = {"old_password": PASSWORD, "new_password1": NEXT, "new_password2": NEXT}
    answers = [page.get("/admin/password_change/"), page.post("/admin/password_change/", form)]
    wanted = "/password" if ada.is_staff else "/admin/login/?next=/admin/password_change/"
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, wanted)] * 2
    assert log_in(APIClient(), "ada").status_code == 200
