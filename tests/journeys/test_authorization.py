"""Who may do what: every route, with every method, by everybody, and every route of tasks with the tasks of every kind
of caller. A route that is in neither table fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys import credentials
from apikeys.identity import Role, Scope
from apikeys.permissions import HasScope
from services.adapters.call import CancelToken
from snapshots import snapshot
from tasks import running
from tasks.models import Status, Task, make_id
from tasks.storing import store
from tests.people import access_token, bearer, in_the_past, make_key, make_user

pytestmark = pytest.mark.django_db(transaction=True)

OPEN = "open to all"
KNOWN = "open to whoever is known"
PAGE = "a page: for whoever is logged in to the pages, which no credentials of a program are"
TASK = "00000000-0000-7000-8000-000000000000"
READ, EXECUTE, ADMIN = Scope
EITHER = "READ or EXECUTE: who may only execute finds nothing there but what is its own"

TABLE: Mapping[tuple[str, str], tuple[str, str]] = {
    ("service-list", "GET"): ("/api/services/", READ),
    ("service-detail", "GET"): ("/api/services/nobody/", READ),
    ("service-models", "GET"): ("/api/services/nobody/models/", READ),
    ("service-test", "POST"): ("/api/services/nobody/test/", ADMIN),
    ("service-enable", "POST"): ("/api/services/nobody/enable/", ADMIN),
    ("service-disable", "POST"): ("/api/services/nobody/disable/", ADMIN),
    ("task-execute", "POST"): ("/api/tasks/execute/", EXECUTE),
    ("task-history", "GET"): ("/api/tasks/history/", EITHER),
    ("task-export", "GET"): ("/api/tasks/export/", EITHER),
    ("task-detail", "GET"): (f"/api/tasks/{TASK}/", EITHER),
    ("task-cancel", "POST"): (f"/api/tasks/{TASK}/cancel/", EXECUTE),
    ("explain", "POST"): ("/api/routing/explain/", READ),
    ("rule-list", "GET"): ("/api/routing/rules/", READ),
    ("rule-list", "POST"): ("/api/routing/rules/", ADMIN),
    ("rule-detail", "GET"): ("/api/routing/rules/nobody/", READ),
    ("rule-detail", "PUT"): ("/api/routing/rules/nobody/", ADMIN),
    ("rule-detail", "PATCH"): ("/api/routing/rules/nobody/", ADMIN),
    ("rule-detail", "DELETE"): ("/api/routing/rules/nobody/", ADMIN),
    ("api-key-overview", "GET"): ("/api/api-keys/status/", READ),
    ("api-key-status", "GET"): ("/api/api-keys/status/nobody/", READ),
    ("api-key-test", "POST"): ("/api/api-keys/test/", ADMIN),
    ("api-key-replace", "POST"): ("/api/api-keys/update/", ADMIN),
    ("client-key-list", "GET"): ("/api/api-keys/clients/", READ),
    ("client-key-list", "POST"): ("/api/api-keys/clients/", ADMIN),
    ("client-key-detail", "DELETE"): ("/api/api-keys/clients/4711/", ADMIN),
    ("config-list", "GET"): ("/api/config/", ADMIN),
    ("config-reload", "POST"): ("/api/config/reload/", ADMIN),
    ("chat-completions", "POST"): ("/v1/chat/completions", EXECUTE),
    ("completions", "POST"): ("/v1/completions", EXECUTE),
    ("embeddings", "POST"): ("/v1/embeddings", EXECUTE),
    ("responses", "POST"): ("/v1/responses", EXECUTE),
    ("messages", "POST"): ("/v1/messages", EXECUTE),
    ("count-tokens", "POST"): ("/v1/messages/count_tokens", EXECUTE),
    ("models", "GET"): ("/v1/models", EITHER),
    ("model", "GET"): ("/v1/models/auto", EITHER),
    ("monitoring-metrics", "GET"): ("/api/monitoring/metrics/", READ),
    ("monitoring-stats", "GET"): ("/api/monitoring/stats/", READ),
    ("monitoring-series", "GET"): ("/api/monitoring/series/", READ),
    ("monitoring-costs", "GET"): ("/api/monitoring/costs/", READ),
    ("prometheus", "GET"): ("/metrics", READ),
    ("auth-login", "POST"): ("/auth/login", OPEN),
    ("auth-refresh", "POST"): ("/auth/refresh", OPEN),
    ("auth-logout", "POST"): ("/auth/logout", OPEN),
    ("me", "GET"): ("/auth/me", KNOWN),
    ("health", "GET"): ("/health", OPEN),
    ("ready", "GET"): ("/ready", OPEN),
    ("openapi", "GET"): ("/openapi.json", OPEN),
    ("docs", "GET"): ("/docs", OPEN),
    ("redoc", "GET"): ("/redoc", OPEN),
    ("now", "GET"): ("/", PAGE),
    ("try", "GET"): ("/try", PAGE),
    ("history", "GET"): ("/history", PAGE),
    ("history-task", "GET"): (f"/history/{TASK}", PAGE),
    ("routing", "GET"): ("/routing", PAGE),
    ("costs", "GET"): ("/costs", PAGE),
    ("keys", "GET"): ("/keys", PAGE),
    ("log-in", "GET"): ("/login", OPEN),
    ("log-in", "POST"): ("/login", OPEN),
    ("log-out", "POST"): ("/logout", OPEN),
}

# Whose credentials are good for what; None for those that are not good at all.
CALLERS: Mapping[str, frozenset[Scope] | None] = {
    "nobody": None,
    "viewer": Role.VIEWER.scopes,
    "operator": Role.OPERATOR.scopes,
    "admin": Role.ADMIN.scopes,
    "viewer's key": Role.VIEWER.scopes,
    "operator's key": Role.OPERATOR.scopes,
    "admin's key": Role.ADMIN.scopes,
    "key to execute only": frozenset({Scope.EXECUTE}),
    "key to read only": frozenset({Scope.READ}),
    "key to execute and read": frozenset({Scope.EXECUTE, Scope.READ}),
    "key to administrate only": frozenset({Scope.ADMIN}),
    "viewer's key to execute": frozenset(),
    "ownerless key": None,
    "expired key": None,
    "disabled key": None,
    "disabled user": None,
    "deleted user": None,
    "key of a disabled user": None,
    "nonsense": None,
}


@pytest.fixture
def headers(settings: Settings) -> Mapping[str, dict[str, str]]:
    settings.AUTH_ENABLED = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    snapshot.forget_all()
    found = {"nonsense": bearer("nonsense"), "nobody": {}}
    for role in Role:
        user = make_user(role.value, role)
        found[role.value] = bearer(access_token(role.value))
        found[f"{role.value}'s key"] = bearer(make_key(f"key of {role.value}", *Scope, owner=user))
    for state in ("disabled", "deleted"):
        make_user(state, Role.ADMIN)
        found[f"{state} user"] = bearer(access_token(state))
    disabled = User.objects.get(username="disabled")
    found["key of a disabled user"] = bearer(make_key("orphan", *Scope, owner=disabled))
    disabled.is_active = False
    disabled.save()
    User.objects.get(username="deleted").delete()
    found["key to execute only"] = bearer(make_key("executor", Scope.EXECUTE))
    found["key to read only"] = bearer(make_key("reader", Scope.READ))
    found["key to execute and read"] = bearer(make_key("both", Scope.EXECUTE, Scope.READ))
    found["key to administrate only"] = bearer(make_key("manager", Scope.ADMIN))
    found["viewer's key to execute"] = bearer(
        make_key("powerless", Scope.EXECUTE, owner=User.objects.get(username=Role.VIEWER))
    )
    found["ownerless key"] = bearer(make_key("ownerless", *Scope, owner=None))
    found["expired key"] = bearer(make_key("expired", *Scope, expires_at=in_the_past()))
    found["disabled key"] = bearer(make_key("off", *Scope, enabled=False))
    return found


def routes(patterns: Any = None) -> Iterator[URLPattern]:
    for pattern in patterns or get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            # The admin pages ask for themselves: see below.
            if str(pattern.pattern) != "admin/":
                yield from routes(pattern.url_patterns)
        else:
            yield pattern


def methods(route: URLPattern) -> set[str]:
    view: Any = route.callback
    if actions := getattr(view, "actions", None):
        found = set(actions)
    elif view_class := getattr(view, "cls", None) or getattr(view, "view_class", None):
        found = {name for name in view_class.http_method_names if hasattr(view_class, name)}
    else:
        found = {"get"}
    return {name.upper() for name in found - {"head", "options"}}


def send(method: str, path: str, headers: dict[str, str]) -> int:
    # A body that no view takes: where a call is let in, it does nothing.
    body = {"nonsense": 1} if method != "GET" else None
    return int(APIClient().generic(method, path, *_encoded(body), headers=headers).status_code)


def _encoded(body: object) -> tuple[Any, ...]:
    return (b'{"nonsense": 1}', "application/json") if body else ()


def verdict(needed: str, scopes: frozenset[Scope] | None) -> str:
    if needed == OPEN:
        return "let in"
    if needed == PAGE:
        return "sent to log in"
    if scopes is None:
        return "401"
    may = bool(scopes & {READ, EXECUTE}) if needed == EITHER else needed == KNOWN or needed in scopes
    return "let in" if may else "403"


def test_every_route_stands_in_the_table() -> None:
    there = {(str(route.name), method) for route in routes() for method in methods(route)}
    assert there == set(TABLE)


def test_everybody_may_do_what_the_table_says_and_nothing_else(headers: Mapping[str, dict[str, str]]) -> None:
    assert set(headers) == set(CALLERS)
    found, expected = {}, {}
    for (name, method), (path, needed) in TABLE.items():
        for caller, scopes in CALLERS.items():
            status = send(method, path, headers[caller])
            assert status < 500 or status == 503, (name, method, caller)
            cell = (name, method, caller)
            found[cell] = _outcome(status, needed)
            expected[cell] = verdict(needed, scopes)
    assert found == expected


def _outcome(status: int, needed: str) -> str:
    if status in (401, 403):
        return str(status)
    return "sent to log in" if status == 302 and needed == PAGE else "let in"


def test_who_may_not_get_may_not_ask_for_the_head(headers: Mapping[str, dict[str, str]]) -> None:
    for (name, method), (path, needed) in TABLE.items():
        if method == "GET" and needed not in (OPEN, KNOWN, PAGE):
            for who in ("nobody", "viewer", "key to execute only", "key to administrate only"):
                status = APIClient().head(path, headers=headers[who]).status_code
                assert _outcome(status, needed) == verdict(needed, CALLERS[who]), (name, who)


def test_every_method_that_is_not_there_is_closed_to_strangers(headers: Mapping[str, dict[str, str]]) -> None:
    for (name, _), (path, needed) in TABLE.items():
        if needed not in (OPEN, KNOWN, PAGE):
            for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
                assert send(method, path, headers["nobody"]) in (401, 405), (name, method)


def test_without_the_last_slash_it_is_the_same(headers: Mapping[str, dict[str, str]]) -> None:
    for (name, method), (path, needed) in TABLE.items():
        if needed not in (OPEN, PAGE):
            assert send(method, path.rstrip("/"), headers["nobody"]) == 401, (name, method)
            assert send(method, path.rstrip("/") + "/", headers["nobody"]) == 401, (name, method)


# Whose tasks


WHOSE: Mapping[str, Callable[[str], str | None]] = {
    "own": lambda caller: caller,
    "another caller's": lambda _caller: "key:4711",
    "one's of almost the same id": lambda caller: f"{caller}1",
    "one's of the other kind with the same id": lambda caller: f"{'user' if 'key' in caller else 'key'}:{_id(caller)}",
    "nobody's": lambda _caller: None,
}


def _id(caller: str) -> str:
    return caller.partition(":")[2]


STATES = ("completed", "queued elsewhere", "running here")
# What a route of tasks shows: one task, those that are found, or nothing of anybody else's.
TASK_ROUTES: Mapping[tuple[str, str], str] = {
    ("task-detail", "GET"): "one",
    ("task-cancel", "POST"): "one",
    ("task-history", "GET"): "found",
    ("task-export", "GET"): "found",
    ("task-execute", "POST"): "none",
}


def add_task(whose: str | None, state: str) -> Task:
    status = {"completed": Status.COMPLETED, "queued elsewhere": Status.QUEUED}.get(state, Status.RUNNING)
    task = Task(status=status, task_type="general", prompt=f"A secret of {whose}", caller=whose, runner=make_id())
    store([task])
    return task


@pytest.fixture
def callers(headers: Mapping[str, dict[str, str]]) -> Mapping[str, str]:
    """Under what the tasks of each caller who is let in are stored."""
    known = {name for name, scopes in CALLERS.items() if scopes is not None}
    requests = {name: RequestFactory().get("/", headers=headers[name]) for name in known}
    found = {name: credentials.caller(request) for name, request in requests.items()}
    return {name: identity.caller for name, identity in found.items() if identity}


def expected_of_a_task(scopes: frozenset[Scope] | None, method: str, whose: str, state: str) -> int:
    if scopes is None:
        return 401
    if not scopes & ({EXECUTE} if method == "POST" else {READ, EXECUTE}):
        return 403
    if READ not in scopes and whose != "own":
        return 404
    if method == "GET":
        return 200
    return 400 if state == "completed" else 202


def test_every_route_of_tasks_is_tried_with_the_tasks_of_others() -> None:
    there = {(str(route.name), method) for route in routes() for method in methods(route)}
    assert {cell for cell in there if cell[0].startswith("task-")} == set(TASK_ROUTES)


@pytest.mark.parametrize("state", STATES)
def test_a_task_is_there_for_whoever_may_see_it_and_not_for_others(
    headers: Mapping[str, dict[str, str]], callers: Mapping[str, str], state: str
) -> None:
    found, expected = {}, {}
    for (name, method), shows in TASK_ROUTES.items():
        if shows != "one":
            continue
        for who, scopes in CALLERS.items():
            for whose, caller_of in WHOSE.items():
                task, token = add_task(caller_of(callers.get(who, "key:1")), state), CancelToken()
                running_here = running.registered(task, token) if state == "running here" else nullcontext()
                with running_here:
                    status, body = ask(method, reverse(name, kwargs={"pk": str(task.pk)}), headers[who])
                cell = (name, who, whose)
                found[cell], expected[cell] = status, expected_of_a_task(scopes, method, whose, state)
                assert token.cancelled is (state == "running here" and status == 202), cell
                if status == 404:
                    assert (status, body) == ask(method, reverse(name, kwargs={"pk": TASK}), headers[who], task), cell
                if status > 299:
                    assert "secret" not in body, cell
                    assert not Task.objects.filter(pk=task.pk, cancel_requested=True).exists(), cell
    assert found == expected


def ask(method: str, path: str, headers: dict[str, str], instead_of: Task | None = None) -> tuple[int, str]:
    """Status and body. `instead_of`: as if its id had been asked for."""
    answer: Any = APIClient().generic(method, path, headers=headers)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, body.decode().replace(TASK, str(instead_of.pk)) if instead_of else body.decode()


@pytest.mark.parametrize("query", ["", "?status=completed", "?search=secret", "?created_after=2000-01-01T00:00:00Z"])
def test_a_list_of_tasks_holds_those_that_its_caller_may_see(
    headers: Mapping[str, dict[str, str]], callers: Mapping[str, str], query: str
) -> None:
    found: dict[tuple[str, str], set[str] | int] = {}
    expected: dict[tuple[str, str], set[str] | int] = {}
    tasks = [(whose, add_task(whose, "completed")) for whose in (*sorted(callers.values()), None, "key:4711")]
    for name in [name for (name, _), shows in TASK_ROUTES.items() if shows == "found"]:
        as_json = "&as=json" if name == "task-export" else ""
        for who, scopes in CALLERS.items():
            status, body = ask("GET", reverse(name) + (query or "?") + as_json, headers[who])
            cell = (name, who)
            ids = {task["id"] for task in json.loads(body)["tasks"]} if status == 200 else set()
            found[cell] = ids if status == 200 else status
            may_see = [str(task.pk) for whose, task in tasks if READ in (scopes or ()) or whose == callers.get(who)]
            expected[cell] = 401 if scopes is None else set(may_see) if scopes & {READ, EXECUTE} else 403
            if status == 200 and name == "task-history":
                assert json.loads(body)["total"] == len(ids), cell
    assert found == expected


def test_while_authentication_is_off_everybody_sees_everything(settings: Settings) -> None:
    settings.AUTH_ENABLED = False
    snapshot.forget_all()
    task = add_task("key:1", "queued elsewhere")
    assert ask("GET", reverse("task-detail", kwargs={"pk": str(task.pk)}), {})[0] == 200
    assert len(json.loads(ask("GET", reverse("task-history"), {})[1])["tasks"]) == 1
    assert ask("POST", reverse("task-cancel", kwargs={"pk": str(task.pk)}), {})[0] == 202


def test_a_new_view_is_closed() -> None:
    from rest_framework.views import APIView

    assert APIView.permission_classes == [HasScope]


def test_no_user_comes_to_the_admin_pages_without_being_staff(headers: Mapping[str, dict[str, str]]) -> None:
    for caller in headers:
        answer = APIClient().get("/admin/", headers=headers[caller])
        assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")
