from __future__ import annotations

import pytest

from gateway.paths import canonical, dialect_of


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/chat/completions/", "/v1/chat/completions/"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/v1/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/models/meta/llama:70b", "/v1/models/meta/llama:70b"),
        ("/responses", "/v1/responses"),
        ("/completions", "/v1/completions"),
        ("/v1/v1/embeddings/", "/v1/embeddings/"),
        ("/v1/models/v1/models", "/v1/models/v1/models"),
        ("/modelsx", "/modelsx"),
        ("/api/services/", "/api/services/"),
        ("/", "/"),
    ],
)
def test_a_base_address_may_have_its_version_or_not(path: str, meant: str) -> None:
    assert canonical(path) == meant


def test_each_address_has_its_dialect() -> None:
    assert dialect_of("/api/tasks/execute/", {}) is None
    assert dialect_of("/v10/models", {}) is None
    assert dialect_of("/v1/chat/completions", {}) == "openai"
    assert dialect_of("/v1/nowhere", {}) == "openai"
    assert dialect_of("/v1/messages", {}) == "anthropic"
    assert dialect_of("/v1/models", {"anthropic-version": "2023-06-01"}) == "anthropic"
