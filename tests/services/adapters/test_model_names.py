"""Lists of models, in the shapes in which servers answer them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.adapters import model_names
from tests.services.adapters.asking import MakeAdapter


def read(payload: Any) -> list[str] | None:
    return model_names.read(json.dumps(payload).encode())


@pytest.mark.parametrize(
    "payload",
    [
        {"object": "list", "data": [{"id": "alpha"}, {"id": "beta"}]},
        {"data": [{"id": "alpha"}, {"object": "model"}, {"id": "beta"}, None, 7, []]},
        {"data": ["alpha", "beta"]},
        {"data": {"models": [{"id": "alpha"}, {"id": "beta"}]}},
        {"data": {"alpha": {"owner": "me"}, "beta": {"owner": "me"}}},
        {"data": None, "models": [{"name": "alpha"}, {"name": "beta"}]},
        {"models": [{"model": "alpha"}, {"slug": "beta"}]},
        {"models": [{"name": "alpha"}, {"name": "beta"}], "data": [{"id": "alpha"}, {"id": "beta"}]},
        {"models": {"alpha": {}, "beta": {}}},
        {
            "result": [{"id": "429b9e8b-d99e-44de-91ad-706cf8183658", "name": "alpha"}, {"name": "beta"}],
            "success": True,
        },
        [{"id": "alpha"}, {"id": "beta"}],
        [{"id": "azureml://registries/some/models/alpha/versions/1", "name": "alpha"}, {"key": "beta"}],
        ["alpha", "beta", "alpha", "", "  beta "],
        [{"id": 1, "name": "alpha"}, {"id": None, "model": "beta"}, {"id": 2}],
        {"alpha": {"context": 8192}, "beta": {"context": 4096}},
    ],
)
def test_the_names_are_found_whatever_the_shape(payload: Any) -> None:
    assert read(payload) == ["alpha", "beta"]


@pytest.mark.parametrize(
    "payload", [{}, None, 7, "alpha", {"ok": True}, {"data": 7}, {"data": {}}, {"error": {"message": "no"}}]
)
def test_what_is_no_list_leaves_the_models_unknown(payload: Any) -> None:
    assert read(payload) is None


@pytest.mark.parametrize("payload", [[], {"data": []}, {"data": None}, {"models": None}, {"data": [{}]}])
def test_a_list_may_be_empty(payload: Any) -> None:
    assert read(payload) == []


def test_nesting_without_an_end_does_no_harm() -> None:
    payload: Any = []
    for _ in range(100):
        payload = {"data": payload}
    assert read(payload) is None


def test_gemini_models_count_that_answer_or_embed_or_do_not_say_what_they_do(
    make_adapter: MakeAdapter,
) -> None:
    listed = [
        {"name": "models/alpha", "supportedGenerationMethods": ["generateContent", "countTokens"]},
        {"name": "models/vectors", "supportedGenerationMethods": ["embedContent"]},
        {"name": "models/pictures", "supportedGenerationMethods": ["predict"]},
        {"name": "models/plain"},
        {"name": "models/odd", "supportedGenerationMethods": None},
        "models/alpha",
    ]
    adapter: Any = make_adapter("gemini")
    for payload in ({"models": listed}, listed):
        assert adapter.parse_models(json.dumps(payload).encode()) == ["alpha", "vectors", "plain", "odd"]
