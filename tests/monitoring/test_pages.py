"""The dashboard's pages, and the door before them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from apikeys.identity import Role
from monitoring import pages
from monitoring.pages import CONTENT_SECURITY_POLICY
from snapshots import snapshot
from tests.live import ROOT
from tests.people import PASSWORD, make_user

TASK = "01a2060f-e649-74fb-aca1-e65a7bc908e4"
PAGES = ["/", "/try", "/try/", "/history", "/history/", f"/history/{TASK}", f"/history/{TASK}/"]
PAGES += ["/routing", "/costs", "/keys", "/keys/"]
STATIC = Path(pages.__file__).parent / "static" / "dashboard"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def visitor() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def identity_on(settings: Settings) -> None:
    settings.AUTH_ENABLED = True
    snapshot.forget_all()


def log_in(visitor: Client, name: str, password: str = PASSWORD, next_page: str = "") -> Any:
    token = visitor.get("/login").cookies["csrftoken"].value
    form = {"username": name, "password": password, "next": next_page, "csrfmiddlewaretoken": token}
    return visitor.post("/login", form)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_lets_nothing_run_but_oxides_own_scripts(visitor: Client, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 200
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    text = answer.content.decode()
    assert "<style" not in text
    assert " style=" not in text
    assert "<script>" not in text


def test_other_pages_keep_their_own_rules(visitor: Client) -> None:
    assert visitor.get("/docs")["Content-Security-Policy"] != CONTENT_SECURITY_POLICY
    assert "Content-Security-Policy" not in visitor.get("/health")


@pytest.mark.parametrize("path", PAGES)
def test_without_identity_a_page_asks_the_database_nothing(
    visitor: Client, path: str, django_assert_num_queries: Any
) -> None:
    visitor.get(path)
    with django_assert_num_queries(0):
        visitor.get(path)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_only_looked_at(path: str) -> None:
    assert Client().post(path).status_code == 405


@pytest.mark.parametrize("path", ["/tryx", "/history/nonsense", f"/history/{TASK}/x"])
def test_there_are_no_others(visitor: Client, path: str) -> None:
    assert visitor.get(path).status_code == 404


@pytest.mark.usefixtures("identity_on")
@pytest.mark.parametrize("path", PAGES)
def test_with_identity_on_strangers_are_sent_to_log_in_and_come_back(visitor: Client, path: str) -> None:
    make_user("ada")
    sent = visitor.get(f"{path}?service=echo")
    assert (sent.status_code, sent["Location"].partition("=")[0]) == (302, "/login?next")
    assert "Content-Security-Policy" in sent
    door = visitor.get(sent["Location"])
    assert door.status_code == 200
    assert "Content-Security-Policy" in door
    assert log_in(visitor, "ada", next_page=f"{path}?service=echo")["Location"] == f"{path}?service=echo"
    assert visitor.get(path).status_code == 200


@pytest.mark.usefixtures("identity_on")
@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_look_and_do_what_it_may(visitor: Client, role: Role) -> None:
    make_user("ada", role)
    assert log_in(visitor, "ada")["Location"] == "/"
    page = visitor.get("/")
    assert b"ada" in page.content
    token = page.content.decode().partition('name="csrf-token" content="')[2].partition('"')[0]
    assert visitor.get("/api/services/").status_code == 200
    body = {"prompt": "Hello", "service": "nobody"}
    answer = visitor.post("/api/tasks/execute/", body, content_type="application/json", headers={"X-CSRFToken": token})
    # Let in, the one who may is told that there is no such service.
    assert answer.status_code == (403 if role is Role.VIEWER else 400)
    if role is Role.VIEWER:
        assert "scope execute" in answer.json()["detail"]


@pytest.mark.usefixtures("identity_on")
def test_a_wrong_password_is_told_and_nobody_is_led_elsewhere(visitor: Client) -> None:
    make_user("ada")
    assert "correct username and password" in log_in(visitor, "ada", "wrong").content.decode()
    assert visitor.get("/").status_code == 302
    assert log_in(visitor, "ada", next_page="https://evil.example/")["Location"] == "/"


@pytest.mark.usefixtures("identity_on")
def test_the_door_shares_the_guard_against_guessing(visitor: Client) -> None:
    make_user("ada")
    for _ in range(10):
        log_in(visitor, "ada", "wrong")
    shut = log_in(visitor, "ada")
    assert b"Too many failed logins. Retry after" in shut.content
    assert "sessionid" not in shut.cookies


@pytest.mark.usefixtures("identity_on")
def test_whoever_logs_out_is_out(visitor: Client) -> None:
    make_user("ada")
    log_in(visitor, "ada")
    token = visitor.cookies["csrftoken"].value
    assert visitor.get("/logout").status_code == 405
    assert visitor.post("/logout").status_code == 403
    assert visitor.post("/logout", {"csrfmiddlewaretoken": token})["Location"] == "/login"
    assert visitor.get("/").status_code == 302


@pytest.mark.usefixtures("identity_on")
def test_a_disabled_person_is_out_at_once(visitor: Client) -> None:
    ada = make_user("ada")
    log_in(visitor, "ada")
    ada.is_active = False
    ada.save()
    assert visitor.get("/").status_code == 302


TEMPLATES = [path for path in sorted((ROOT / "templates" / "dashboard").glob("*.html")) if "module" in path.read_text()]


def imports_of(name: str) -> set[str]:
    """The modules that one imports, and those that they import."""
    own = set(re.findall(r"from '\./([\w.]+)'", (STATIC / name).read_text()))
    return own.union(*(imports_of(each) for each in own))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_page_loads_all_of_its_modules_at_once(template: Path) -> None:
    text = template.read_text()
    [entry] = re.findall(r"""<script type="module" src="{% static 'dashboard/([\w.]+)' %}">""", text)
    preloaded = re.findall(r"""<link rel="modulepreload" href="{% static 'dashboard/([\w.]+)' %}">""", text)
    assert preloaded == sorted(imports_of(entry))


def test_all_that_the_pages_load_is_small_and_our_own() -> None:
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 150_000
    for path in files:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("//")]
        text = "\n".join(lines).replace("http://www.w3.org/2000/svg", "")
        for foreign in (
            "http://",
            "https://",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ):
            assert foreign not in text, (path.name, foreign)
