"""/api/services/"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from services import availability, health
from services.breaker import breakers
from services.models import Service
from tests import canary
from tests.fake_provider import FakeProvider

MakeService = Callable[..., Service]


def test_the_list_has_the_shape_of_the_contract(client: APIClient, service: MakeService) -> None:
    url = service("ollama_local", "ollama", model="llama2").base_url
    service("off", enabled=False)
    health.check(availability.states()["ollama_local"].config)
    body = client.get("/api/services/").json()
    assert (body["total"], body["healthy"], body["enabled"]) == (2, 1, 1)
    shown = body["services"]["ollama_local"]
    assert (shown["enabled"], shown["healthy"]) == (True, True)
    assert shown["info"].items() >= {"type": "http", "base_url": url, "model": "llama2"}.items()


def test_one_service_is_shown_with_its_state(client: APIClient, service: MakeService, provider: FakeProvider) -> None:
    service("mine")
    provider.misbehave("status", status=500)
    health.check(availability.states()["mine"].config)
    for _ in range(5):
        breakers["mine"].record_failure()
    body = client.get("/api/services/mine/").json()
    assert body["healthy"] is True  # it answered
    assert "500" in body["health"]["detail"]
    assert body["health"]["checked_at"].endswith("Z")
    assert (body["breaker"], body["in_flight"]) == ("open", 0)


def test_a_test_asks_the_free_endpoint_now(client: APIClient, service: MakeService, provider: FakeProvider) -> None:
    service("mine")
    body = client.post("/api/services/mine/test/").json()
    assert (body["success"], body["model_count"]) == (True, 2)
    assert {request.method for request in provider.requests} == {"GET"}
    provider.misbehave("refuse", why="auth")
    body = client.post("/api/services/mine/test/").json()
    assert body["success"] is False
    assert client.get("/api/services/").json()["services"]["mine"]["healthy"] is False


def test_models_are_what_the_server_lists(client: APIClient, service: MakeService, provider: FakeProvider) -> None:
    service("mine")
    assert client.get("/api/services/mine/models/").json()["models"] == ["alpha", "beta"]
    provider.misbehave("status", status=500)
    answer = client.get("/api/services/mine/models/")
    assert (answer.status_code, answer.json()["code"]) == (502, "PROVIDER_ERROR")


def test_a_service_is_switched_off_and_on_for_the_next_task(client: APIClient, service: MakeService) -> None:
    service("mine")
    task = {"prompt": "Hello?", "service": "mine"}
    assert client.post("/api/services/mine/disable/").json()["enabled"] is False
    assert client.post("/api/tasks/execute/", task, format="json").status_code == 503
    assert client.post("/api/services/mine/enable").json()["enabled"] is True
    assert client.post("/api/tasks/execute/", task, format="json").status_code == 200


@pytest.mark.parametrize("path", ["", "test/", "models/", "enable/", "disable/"])
def test_an_unknown_service_is_404(client: APIClient, transactional_db: None, path: str) -> None:
    ask = client.get if path in ("", "models/") else client.post
    answer = ask(f"/api/services/nobody/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_the_list_tells_what_stands_in_the_way_of_each(client: APIClient, service: MakeService) -> None:
    service("well")
    service("keyless", api_key_env="NO_SUCH_KEY")
    service("tired")
    for _ in range(5):
        breakers["tired"].record_failure()
    body = client.get("/api/services/").json()["services"]
    assert (body["well"]["obstacle"], body["well"]["breaker"]) == ("", "closed")
    assert body["keyless"]["obstacle"].startswith("has no API key: set NO_SUCH_KEY")
    assert body["tired"]["breaker"] == "open"
    assert "its circuit breaker is open" in body["tired"]["obstacle"]


def test_programs_are_told_by_a_code_what_keeps_a_service_from_being_asked(
    client: APIClient, service: MakeService, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", canary.provider_key("refused"))
    service("well")
    service("keyless", api_key_env="NO_SUCH_KEY")
    service("tired")
    for _ in range(5):
        breakers["tired"].record_failure()
    health.check(service("away", base_url="http://127.0.0.1:9").config)
    provider.misbehave("refuse", why="auth", service="refused")
    health.check(service("refused", api_key_env="SOME_KEY").config)
    listed = client.get("/api/services/").json()["services"]
    told = {name: (each["obstacle_code"], each["obstacle_variable"]) for name, each in listed.items()}
    assert told == {
        "well": ("", ""),
        "keyless": ("no_key", "NO_SUCH_KEY"),
        "tired": ("resting", ""),
        "away": ("unhealthy", ""),
        "refused": ("key_refused", "SOME_KEY"),
    }
    for each in listed.values():
        assert each["obstacle"].endswith(each["obstacle_detail"])
    assert listed["away"]["obstacle_detail"].startswith("cannot be reached")


def test_while_no_model_can_be_asked_the_list_says_what_to_do_next_and_no_longer(
    client: APIClient, service: MakeService
) -> None:
    def told() -> Any:
        step = client.get("/api/services/").json()["next_step"]
        return step and (step["title"], step["service"], step["page"], step["command"])

    service("builtin", type="builtin")
    assert told() == ("There is no model to ask yet", "", "/admin/services/service/add/", "")
    service("keyless", api_key_env="NO_SUCH_KEY")
    key_page = "/admin/apikeys/providerkey/add/?service=keyless"
    assert told() == ("No model can be asked yet", "keyless", key_page, "")
    away = service("away", api="ollama", base_url="http://127.0.0.1:9", model="llama2")
    health.check(away.config)
    page = "/admin/services/service/?q=away"
    assert told() == ("No service answers at the moment", "away", page, "ollama run llama2")
    service("new")
    assert told() is None, "it was not looked at yet"


def test_the_list_tells_which_types_of_task_each_is_for(client: APIClient, service: MakeService) -> None:
    service("any")
    service("poet", capabilities=["translation", "creative_writing"])
    body = client.get("/api/services/").json()["services"]
    assert body["any"]["capabilities"] == []
    assert body["poet"]["capabilities"] == ["creative_writing", "translation"]
