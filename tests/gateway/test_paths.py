from __future__ import annotations

import pytest

from gateway.paths import canonical, counts_tokens, dialect_of


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
    assert dialect_of("/v1/messages/batches/none", {}) == "anthropic"


@pytest.mark.parametrize(
    "headers",
    [
        {"anthropic-version": "2023-06-01"},
        {"anthropic-beta": "files-api-2025-04-14"},
        {"user-agent": "Anthropic/Python 0.116.0"},
        {"user-agent": "AsyncAnthropic/Python 0.116.0"},
        {"user-agent": "Anthropic/JS 0.70.0"},
        {"user-agent": "claude-cli/2.1.197 (external, cli)"},
    ],
)
def test_anthropics_clients_are_known_where_an_address_is_shared_or_unknown(headers: dict[str, str]) -> None:
    for path in ("/v1/models", "/v1/models/nobody", "/v1/files", "/v1/organizations/me", "/v1"):
        assert dialect_of(path, headers) == "anthropic"
    for path in ("/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/responses/input_tokens"):
        assert dialect_of(path, headers) == "openai"


def test_a_key_in_x_api_key_is_anthropics_only_at_addresses_that_nobody_knows() -> None:
    assert dialect_of("/v1/files", {"x-api-key": "k"}) == "anthropic"
    assert dialect_of("/v1/files", {"x-api-key": "k", "authorization": "Bearer k"}) == "openai"
    assert dialect_of("/v1/models", {"x-api-key": "k"}) == "openai"
    assert dialect_of("/v1/files", {"user-agent": "OpenAI/Python 2.0", "authorization": "Bearer k"}) == "openai"


def test_only_counting_is_free() -> None:
    assert counts_tokens("/v1/messages/count_tokens/")
    assert not any(map(counts_tokens, ("/v1/messages", "/v1/chat/completions", "/api/messages/count_tokens")))
