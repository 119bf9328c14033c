"""A service whose completions work is called, whatever its list of models looks like."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from routing.models import DefaultRoute
from services import availability, health
from services.breaker import breakers
from services.models import Service
from services.pauses import pauses
from tests import canary
from tests.fake_provider import DIALECTS, TEXT, Answer, FakeProvider
from tests.waiting import wait_until

Make = Callable[..., Service]
JSON = {"content_type": "application/json"}
# What a GET for the models is answered with: the name of a fault of the fake provider, and its details.
LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "an empty object": ("raw", {"body": b"{}", **JSON}),
    "an empty array": ("raw", {"body": b"[]", **JSON}),
    "a bare array": ("raw", {"body": b'[{"id": "alpha"}, {"id": "beta"}]', **JSON}),
    "names": ("raw", {"body": b'{"data": ["alpha", "beta"]}', **JSON}),
    "entries without id": ("raw", {"body": b'{"data": [{"object": "model"}, {"name": "alpha"}]}', **JSON}),
    "other models": ("raw", {"body": b'{"data": [{"id": "gamma"}], "models": [{"name": "delta"}]}', **JSON}),
    "null": ("raw", {"body": b"null", **JSON}),
    "data null": ("raw", {"body": b'{"data": null, "models": null}', **JSON}),
    "HTML": ("html", {}),
    "an empty body": ("empty", {}),
    "204": ("status", {"status": 204}),
    "302": ("redirect", {}),
    **{str(status): ("status", {"status": status}) for status in (400, 403, 404, 405, 422, 429, 500, 501, 503)},
}
# These count as unhealthy, and the service is called all the same.
UNHEALTHY: dict[str, tuple[str, dict[str, Any]]] = {
    "connection closed": ("reset", {}),
    "no answer": ("hang", {}),
    "401": ("status", {"status": 401}),
}


@pytest.fixture(params=list(DIALECTS))
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def only(service: Make, api: str, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The only service, not checked yet."""
    monkeypatch.setenv("ADVISORY_KEY", canary.provider_key("advisory"))
    row = service("only", api, api_key_env="ADVISORY_KEY")
    DefaultRoute.objects.create(service=row, position=1)
    return row


def answer(client: APIClient, model: str) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello?"}]}
    return client.post("/v1/chat/completions", body, format="json")


def is_answered(client: APIClient, *models: str) -> bool:
    answers = [answer(client, model) for model in models]
    return all(each.status_code == 200 and each.json()["choices"][0]["message"]["content"] == TEXT for each in answers)


@pytest.mark.parametrize("listed", LISTS)
def test_a_service_is_called_whatever_it_answers_to_a_check(
    client: APIClient, provider: FakeProvider, only: Service, listed: str
) -> None:
    fault, details = LISTS[listed]
    provider.misbehave_in_checks(fault, **details)
    for _ in range(2):
        assert health.check(only.config).healthy
    assert availability.obstacle_of(only.config) is None
    assert is_answered(client, "only", "auto", "alpha", "only/alpha", "my-alias", "only/my-alias")
    shown = client.get("/api/services/").json()
    assert (shown["healthy"], shown["next_step"]) == (1, None)


@pytest.mark.parametrize("listed", UNHEALTHY)
def test_an_unhealthy_service_is_called_and_healthy_as_soon_as_it_answers(
    client: APIClient, provider: FakeProvider, only: Service, listed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.3 if listed == "no answer" else 10)
    fault, details = UNHEALTHY[listed]
    provider.misbehave_in_checks(fault, **details)
    for _ in range(2):
        health.check(only.config)
    shown = client.get("/api/services/").json()["services"]["only"]
    assert (shown["healthy"], shown["state_text"]) == (False, "unhealthy, called last")
    asked = client.post("/api/routing/explain/", {"prompt": "Hello?"}, format="json").json()
    assert asked["candidates"][0]["demoted"] is True
    assert "; last resort: only is currently unhealthy: " in asked["candidates"][0]["reason"]
    assert is_answered(client, "only", "auto", "alpha", "only/my-alias")
    for _ in range(2):
        health.check(only.config)
    shown = client.get("/api/services/").json()["services"]["only"]
    assert (shown["healthy"], shown["state"]) == (True, "list_unknown"), "completions outrank checks"


def test_an_unhealthy_service_is_called_where_it_is_named_and_after_others_where_it_is_not(
    client: APIClient, provider: FakeProvider, service: Make
) -> None:
    for place, name in enumerate(("ill", "well"), start=1):
        DefaultRoute.objects.create(service=service(name), position=place)
    provider.misbehave_in_checks("status", service="ill", status=401)
    for row in Service.objects.all():
        health.check(row.config)
    assert is_answered(client, "auto")
    assert (provider.calls_to("ill"), provider.calls_to("well")) == (0, 1)
    assert is_answered(client, "ill")
    assert provider.calls_to("ill") == 1


def test_a_server_that_lists_nothing_while_it_answers_stays_healthy(
    client: APIClient, provider: FakeProvider, service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = service("slow")
    health.check(slow.config)
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.1)
    provider.misbehave_in_checks("hang")
    release, answer_of = threading.Event(), provider.answer_of

    def slowly(name: str) -> Answer:
        release.wait(30)
        return answer_of(name)

    monkeypatch.setattr(provider, "answer_of", slowly)
    asking = threading.Thread(target=is_answered, args=(APIClient(), "slow"))
    asking.start()
    try:
        wait_until(lambda: provider.calls_to("slow"))
        for _ in range(3):
            assert health.check(slow.config).timed_out
        assert client.get("/api/services/").json()["services"]["slow"]["state"] == "healthy"
    finally:
        release.set()
        asking.join()


def test_a_model_list_is_kept_and_offered_while_the_service_is_unhealthy(
    client: APIClient, provider: FakeProvider, service: Make
) -> None:
    first = service("first", model="own")
    health.check(first.config)
    provider.misbehave_in_checks("reset")
    assert not health.check(first.config).healthy
    listed = [each["id"] for each in client.get("/v1/models").json()["data"]]
    assert {"first/own", "first/alpha", "first/beta"} <= set(listed)
    models = client.get("/api/services/first/models/").json()
    assert models["models"] == ["alpha", "beta", "own"]
    assert models["problem"].startswith("first ")


@pytest.mark.parametrize("listed", ["404", "HTML", "an empty object"])
def test_models_of_a_server_without_a_list_are_what_is_known(
    client: APIClient, provider: FakeProvider, service: Make, listed: str
) -> None:
    service("first", model="own")
    fault, details = LISTS[listed]
    provider.misbehave_in_checks(fault, **details)
    shown = client.get("/api/services/first/models/").json()
    assert (shown["models"], shown["problem"] != "") == (["own"], True)


def test_what_the_pages_say_is_the_state_and_not_that_a_service_is_never_called(
    client: APIClient, provider: FakeProvider, service: Make
) -> None:
    provider.misbehave_in_checks("status", service="listless", status=404)
    for name in ("well", "listless", "tired"):
        health.check(service(name).config)
    health.check(service("away", base_url="http://127.0.0.1:9").config)
    service("new")
    service("unchecked", health_enabled=False)
    service("keyless", api_key_env="NO_SUCH_KEY")
    service("off", enabled=False)
    for _ in range(5):
        breakers["tired"].record_failure()
    shown = client.get("/api/services/").json()["services"]
    assert {name: each["state_text"] for name, each in shown.items()} == {
        "well": "healthy",
        "listless": "reachable, model list unknown",
        "tired": "circuit breaker open, called last",
        "away": "unhealthy, called last",
        "new": "not checked yet",
        "unchecked": "not checked",
        "keyless": "no key",
        "off": "switched off",
    }
    assert "answered 404" in shown["listless"]["state_detail"]


def test_a_pause_and_a_missing_operation_are_shown(client: APIClient, service: Make) -> None:
    health.check(service("first").config)
    pauses.pause("first", "llama2", 30)
    pauses.note_lacking("first", "", "embeddings")
    shown = client.get("/api/services/").json()["services"]["first"]
    assert (shown["state"], shown["obstacle"]) == ("healthy", "")
    assert shown["state_detail"] == "limits the rate of requests to llama2 for 30 s more; refused embeddings lately"


def test_a_service_that_is_never_checked_is_known_by_its_calls(client: APIClient, service: Make) -> None:
    service("first", health_enabled=False)
    assert is_answered(client, "first")
    shown = client.get("/api/services/first/").json()
    assert (shown["healthy"], shown["health"]["checked_at"], shown["health"]["response_ms"]) == (True, None, None)
