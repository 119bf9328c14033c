"""Who may do what: every route, with every method, by everybody. A route that is not in the table fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys.identity import Role, Scope
from apikeys.permissions import HasScope
from snapshots import snapshot
from tests.people import access_token, bearer, in_the_past, make_key, make_user

pytestmark = pytest.mark.django_db(transaction=True)

OPEN = "open to all"
KNOWN = "open to whoever is known"
PAGE = "a page: for whoever is logged in to the pages, which no credentials of a program are"
TASK = "00000000-0000-7000-8000-000000000000"
READ, EXECUTE, ADMIN = Scope

TABLE: Mapping[tuple[str, str], tuple[str, str]] = {
    ("service-list", "GET"): ("/api/services/", READ),
    ("service-detail", "GET"): ("/api/services/nobody/", READ),
    ("service-models", "GET"): ("/api/services/nobody/models/", READ),
    ("service-test", "POST"): ("/api/services/nobody/test/", ADMIN),
    ("service-enable", "POST"): ("/api/services/nobody/enable/", ADMIN),
    ("service-disable", "POST"): ("/api/services/nobody/disable/", ADMIN),
    ("task-execute", "POST"): ("/api/tasks/execute/", EXECUTE),
    ("task-history", "GET"): ("/api/tasks/history/", READ),
    ("task-export", "GET"): ("/api/tasks/export/", READ),
    ("task-detail", "GET"): (f"/api/tasks/{TASK}/", READ),
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
    ("models", "GET"): ("/v1/models", READ),
    ("model", "GET"): ("/v1/models/auto", READ),
    ("monitoring-metrics", "GET"): ("/api/monitoring/metrics/", READ),
    ("monitoring-stats", "GET"): ("/api/monitoring/stats/", READ),
    ("monitoring-series", "GET"): ("/api/monitoring/series/", READ),
    ("monitoring-costs", "GET"): ("/api/monitoring/costs/", READ),
    ("prometheus", "GET"): ("/metrics", READ),
    ("auth-login", "POST"): ("/auth/login", OPEN),
    ("auth-refresh", "POST"): ("/auth/refresh", OPEN),
    ("auth-logout", "POST"): ("/auth/logout", OPEN),
    ("own-password", "POST"): ("/auth/password", KNOWN),
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
    ("password", "GET"): ("/password", PAGE),
    ("password", "POST"): ("/password", PAGE),
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
    return "let in" if needed == KNOWN or needed in scopes else "403"


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


def test_a_new_view_is_closed() -> None:
    from rest_framework.views import APIView

    assert APIView.permission_classes == [HasScope]


def test_no_user_comes_to_the_admin_pages_without_being_staff(headers: Mapping[str, dict[str, str]]) -> None:
    for caller in headers:
        answer = APIClient().get("/admin/", headers=headers[caller])
        assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")
