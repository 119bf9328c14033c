"""A service's list of models cannot be walked around by what else a request says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from routing.model_overrides import overriding_fields
from services.models import Service
from tests.fake_provider import FakeProvider

MakeService = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)

TURN = [{"role": "user", "content": "Hello"}]
CHAT: dict[str, Any] = {"model": "first/alpha", "messages": TURN}
WAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("openai", "/v1/chat/completions", CHAT),
    "messages": ("anthropic", "/v1/messages", {**CHAT, "max_tokens": 9}),
    "embeddings": ("openai", "/v1/embeddings", {"model": "first/alpha", "input": "Hello"}),
}
BYPASSES: dict[str, Any] = {
    "models": ["alpha", "gamma"],
    "route": "fallback",
    "plugins": [{"id": "auto-router"}],
    "provider": {"order": ["other"]},
    "fallbacks": [{"alpha": ["gamma"]}],
    "context_window_fallbacks": ["gamma"],
    "api_base": "http://attacker.example",
    "base_url": "http://attacker.example",
    "extra_body": {"models": ["gamma"]},
    "engine": "gamma",
    "deployment": "gamma",
    "deployment_id": "gamma",
    "model_list": [{"model_name": "alpha"}],
    "preset": "gamma",
    "MODEL": "gamma",
    "Models": ["gamma"],
    "custom_llm_provider": "openai",
    "litellm_params": {"model": "gamma"},
}


@pytest.mark.parametrize("field", BYPASSES)
@pytest.mark.parametrize("way", WAYS)
def test_a_field_that_names_another_model_is_refused_by_name(
    client: APIClient, service: MakeService, provider: FakeProvider, way: str, field: str
) -> None:
    api, path, body = WAYS[way]
    service("first", api=api, allowed_models=["alpha"])
    answer = client.post(path, {**body, field: BYPASSES[field]}, format="json")
    assert answer.status_code == 400, answer.content
    assert field in answer.content.decode()
    assert provider.requests_to("first") == []
    assert client.post(path, {**body, field: None}, format="json").status_code == 200


@pytest.mark.parametrize("field", BYPASSES)
def test_it_is_refused_among_the_parameters_of_a_task_too(
    client: APIClient, service: MakeService, provider: FakeProvider, field: str
) -> None:
    service("first", allowed_models=["alpha"])
    body = {"prompt": "Hello", "service": "first", "parameters": {field: BYPASSES[field]}}
    answer = client.post("/api/tasks/execute/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert field in answer.json()["detail"]
    assert provider.requests_to("first") == []


@pytest.mark.parametrize("field", BYPASSES)
def test_without_a_list_it_goes_along(
    client: APIClient, service: MakeService, provider: FakeProvider, field: str
) -> None:
    service("first")
    answer = client.post("/v1/chat/completions", {**CHAT, field: BYPASSES[field]}, format="json")
    assert answer.status_code == 200, answer.content
    (asked,) = provider.requests_to("first")
    assert asked.json[field] == BYPASSES[field]


def test_a_provider_of_another_protocol_is_not_told_of_it_and_so_may_be_asked(
    client: APIClient, service: MakeService, provider: FakeProvider
) -> None:
    service("first", api="anthropic", allowed_models=["alpha"])
    answer = client.post("/v1/chat/completions", {**CHAT, "models": ["gamma"]}, format="json")
    assert answer.status_code == 200
    (asked,) = provider.requests_to("first")
    assert "models" not in asked.json


@pytest.mark.parametrize("field", BYPASSES)
def test_no_provider_gets_such_a_field_of_openais_responses(
    client: APIClient, service: MakeService, provider: FakeProvider, field: str
) -> None:
    service("first", allowed_models=["alpha"])
    body = {"model": "first/alpha", "input": "Hello", field: BYPASSES[field]}
    assert client.post("/v1/responses", body, format="json").status_code in (200, 400)
    for asked in provider.requests_to("first"):
        assert field not in asked.json
        assert asked.json["model"] == "alpha"


def test_a_tool_that_asks_another_model_is_one(client: APIClient, service: MakeService, provider: FakeProvider) -> None:
    service("first", api="anthropic", allowed_models=["alpha"])
    tools = [{"type": "advisor_20260301", "name": "advisor", "model": "gamma"}]
    body = {**CHAT, "max_tokens": 9, "tools": tools}
    answer = client.post("/v1/messages", body, format="json")
    assert answer.status_code == 400
    assert "tools[0].model" in answer.content.decode()
    assert provider.requests_to("first") == []


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "image_generation", "model": "gamma"},
        {"type": "openrouter:advisor", "parameters": {"model": "gamma"}},
        {"type": "openrouter:fusion", "parameters": {"nested": {"Models": ["gamma"]}}},
    ],
)
def test_so_is_one_that_names_it_deeper(
    client: APIClient, service: MakeService, provider: FakeProvider, tool: dict[str, Any]
) -> None:
    service("first", allowed_models=["alpha"])
    answer = client.post("/v1/chat/completions", {**CHAT, "tools": [tool]}, format="json")
    assert answer.status_code == 400
    assert "tools[0]." in answer.content.decode()
    assert provider.requests_to("first") == []


def test_a_function_may_have_a_parameter_called_model() -> None:
    schema = {"type": "object", "properties": {"model": {"type": "string"}, "models": {"type": "array"}}}
    tools = [
        {"type": "function", "function": {"name": "order", "parameters": schema}},
        {"name": "order", "input_schema": schema},
        {"type": "custom", "name": "order", "input_schema": schema},
        {"name": "order", "parameters": schema},
    ]
    assert list(overriding_fields({"tools": tools})) == []


@pytest.mark.parametrize(
    "model", ["openrouter/auto", "alpha:online", "alpha:free", "ALPHA", " alpha", "alpha@x", "alph"]
)
@pytest.mark.parametrize("way", WAYS)
def test_a_model_is_one_of_the_list_to_the_letter(
    client: APIClient, service: MakeService, provider: FakeProvider, way: str, model: str
) -> None:
    api, path, body = WAYS[way]
    service("first", api=api, allowed_models=["alpha"])
    answer = client.post(path, {**body, "model": f"first/{model}"}, format="json")
    assert 400 <= answer.status_code < 500, answer.content
    assert provider.requests_to("first") == []


def test_what_clients_usually_send_overrides_nothing() -> None:
    usual = ["model", "messages", "metadata", "modalities", "reasoning", "service_tier", "store", "user", "tools"]
    usual += ["prompt_cache_key", "web_search_options", "container", "mcp_servers", "thinking", "input_type", "stream"]
    assert list(overriding_fields(dict.fromkeys(usual, "x"))) == []
