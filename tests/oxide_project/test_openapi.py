"""The API's documentation: whole, valid, and true."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.views import SpectacularJSONAPIView
from pytest_django import Settings

from oxide_project.openapi import served
from snapshots import snapshot
from tests.live import ROOT

pytestmark = pytest.mark.django_db

# Pages for people, and what describes the rest.
PAGES = ("try", "history", "routing", "costs", "keys")
NOT_OPERATIONS = ("admin/", "openapi.json", "docs", "redoc", "login", "logout", "password", *PAGES)
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(client: Client) -> Any:
    return json.loads(client.get("/openapi.json").content)


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path, written as the document writes them, of everything in the URLconf."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^")
        is_first_page = not path and isinstance(pattern, URLPattern)
        if is_first_page or path.startswith(NOT_OPERATIONS):
            continue
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            for method in methods(pattern.callback):
                yield (
                    method,
                    "/" + re.sub(r"\(\?P<(\w+)>.*?\)(?=/)", r"{\1}", path).replace("/?$", "/").replace("pk}", "id}"),
                )


def methods(view: Any) -> set[str]:
    if hasattr(view, "actions"):
        return set(view.actions) - {"head"}
    if hasattr(view, "cls"):
        return {method for method in METHODS if hasattr(view.cls, method)}
    return {"get"}


def test_the_version_is_that_of_the_project(document: Any) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert document["info"]["version"] == project["version"]


def test_the_documented_operations_are_those_that_there_are(document: Any) -> None:
    documented = {(method, path) for path, item in document["paths"].items() for method in item if method in METHODS}
    assert documented == set(routes(get_resolver().url_patterns))


def test_every_operation_says_what_it_does_and_how_it_fails(document: Any) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), f"{method} {path}"
            if path not in ("/health/", "/ready/"):
                assert "429" in operation["responses"], f"{method} {path}"


def test_a_token_or_a_key_is_enough(document: Any) -> None:
    security = document["paths"]["/api/tasks/execute/"]["post"]["security"]
    assert {"bearer": []} in security
    assert {"apiKey": []} in security


def test_every_reference_leads_somewhere(document: Any) -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_load_nothing_from_other_hosts(client: Client, page: str) -> None:
    html = client.get(page).content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert addresses
    assert all(address.startswith("/") for address in addresses)
    for address in addresses:
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_they_may_neither_run_nor_ask_for_anything_that_oxide_does_not_serve(client: Client, page: str) -> None:
    answer = client.get(page)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "connect-src 'self'" in policy
    assert "<script>" not in answer.content.decode()


def test_the_document_is_made_once_and_asked_about_by_its_etag(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get("/openapi.json")

    def made_again(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("The document was made again.")

    monkeypatch.setattr(SpectacularJSONAPIView.generator_class, "get_schema", made_again)
    again = client.get("/openapi.json")
    assert again.content == first.content
    etag = first["ETag"]
    assert again["ETag"] == etag
    assert etag.startswith('"')
    known = client.get("/openapi.json", headers={"If-None-Match": f'"other", {etag}'})
    assert (known.status_code, known.content, known["ETag"]) == (304, b"", etag)
    assert client.get("/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200
    assert "no-store" not in first["Cache-Control"]
    head = client.head("/openapi.json")
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", etag)


def test_many_who_ask_first_have_it_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_made", [])
    made: list[int] = []
    real: Any = SpectacularJSONAPIView.generator_class.get_schema

    def counted(*args: Any, **kwargs: Any) -> Any:
        made.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(SpectacularJSONAPIView.generator_class, "get_schema", counted)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: Client().get("/openapi.json").status_code, range(8)))
    assert (answers, made) == ([200] * 8, [1])


def test_the_document_is_under_the_rate_limit(client: Client, settings: Settings) -> None:
    settings.RATE_LIMIT_ANON = "2/d"
    snapshot.forget_all()
    caches["counters"].clear()
    assert [client.get("/openapi.json").status_code for _ in range(3)] == [200, 200, 429]
    caches["counters"].clear()
