"""Settings in Oxide's words arrive in those of each protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.adapters.base import ChatRequest, Tool
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import MakeAdapter, call


def body_of(make_adapter: MakeAdapter, provider: FakeProvider, api: str, request: ChatRequest) -> Any:
    make_adapter(api).complete(request, call())
    return provider.requests[-1].json


def test_sampling(make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest) -> None:
    asked = replace(question, top_p=0.9, seed=7, presence_penalty=0.1, frequency_penalty=0.2)
    expected = {"top_p": 0.9, "seed": 7, "presence_penalty": 0.1, "frequency_penalty": 0.2}
    assert expected.items() <= body_of(make_adapter, provider, "openai", asked).items()
    assert body_of(make_adapter, provider, "ollama", asked)["options"] == expected
    assert body_of(make_adapter, provider, "gemini", asked)["generationConfig"] == {
        "topP": 0.9,
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
    }
    body = body_of(make_adapter, provider, "anthropic", asked)
    assert body["top_p"] == 0.9
    assert body.keys().isdisjoint({"seed", "presence_penalty", "frequency_penalty"})


def test_any_json_object(make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest) -> None:
    asked = replace(question, json_object=True)
    assert body_of(make_adapter, provider, "openai", asked)["response_format"] == {"type": "json_object"}
    assert body_of(make_adapter, provider, "ollama", asked)["format"] == "json"
    config = body_of(make_adapter, provider, "gemini", asked)["generationConfig"]
    assert config == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("api", "model", "effort", "expected"),
    [
        ("openai", "alpha", "low", {"reasoning_effort": "low"}),
        ("ollama", "alpha", "none", {"think": False}),
        ("ollama", "gpt-oss:20b", "none", {"think": "low"}),
        ("ollama", "gpt-oss:20b", "high", {"think": "high"}),
        ("anthropic", "claude-opus-5-5", "none", {"output_config": {"effort": "low"}}),
        ("anthropic", "claude-opus-4-5", "minimal", {"output_config": {"effort": "low"}}),
        ("anthropic", "alpha", "high", {"output_config": {"effort": "high"}}),
        ("gemini", "gemini-2.5-flash", "none", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}),
        ("gemini", "gemini-2.5-pro", "none", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 128}}}),
        ("gemini", "gemini-2.5-pro", "low", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1024}}}),
        ("gemini", "gemini-2.5-flash", "max", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 24_576}}}),
        ("gemini", "gemini-3.1-pro", "medium", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "medium"}}}),
        ("gemini", "gemini-3-flash", "xhigh", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}}}),
        ("ollama", "gpt-oss:20b", "max", {"think": "high"}),
        ("openai", "gpt-5.4", "max", {"reasoning_effort": "xhigh"}),
        ("openai", "deepseek-v4", "xhigh", {"reasoning_effort": "high"}),
        ("gemini", "gemini-3-pro", "minimal", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}}),
        ("gemini", "gemini-3.8-flash", "high", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}}}),
    ],
)
def test_how_much_to_think(
    make_adapter: MakeAdapter,
    provider: FakeProvider,
    question: ChatRequest,
    api: str,
    model: str,
    effort: Any,
    expected: dict[str, Any],
) -> None:
    body = body_of(make_adapter, provider, api, replace(question, model=model, effort=effort))
    assert expected.items() <= body.items()


@pytest.mark.parametrize(
    ("api", "model"),
    [
        ("ollama", "alpha"),
        ("gemini", "gemini-3-pro"),
        ("gemini", "gemini-2.0-flash"),
        ("gemini", "alpha"),
        ("anthropic", "claude-3-5-sonnet-latest"),
        ("anthropic", "claude-3-haiku-20240307"),
    ],
)
def test_what_a_model_may_not_know_is_left_to_it(
    make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest, api: str, model: str
) -> None:
    body = body_of(make_adapter, provider, api, replace(question, model=model, effort="medium"))
    assert body.keys().isdisjoint({"think", "generationConfig", "thinking", "output_config"})


def test_one_tool_at_a_time(make_adapter: MakeAdapter, provider: FakeProvider, question: ChatRequest) -> None:
    asked = replace(question, tools=(Tool("now"),), parallel_tool_calls=False)
    assert body_of(make_adapter, provider, "openai", asked)["parallel_tool_calls"] is False
    for choice, kind in (("", "auto"), ("required", "any")):
        body = body_of(make_adapter, provider, "anthropic", replace(asked, tool_choice=choice))
        assert body["tool_choice"] == {"type": kind, "disable_parallel_tool_use": True}
