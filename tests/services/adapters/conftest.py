from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.adapters.base import Adapter, ChatRequest, Connection, Message, TextPart
from services.adapters.registry import adapter_class
from tests.fake_provider import FakeProvider
from tests.services.adapters.asking import KEY, MakeAdapter


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def make_adapter(provider: FakeProvider) -> Iterator[MakeAdapter]:
    """Make an adapter of one kind that calls the fake provider, with the options given."""
    made: list[Adapter] = []

    def make(
        api: str, *, base_url: str = "", api_key: str = KEY, max_reply_bytes: int = 1_000_000, **options: Any
    ) -> Adapter:
        url = base_url or provider.base_url(api)
        adapter = adapter_class(api)(
            Connection(f"my_{api}", base_url=url, api_key=api_key, max_reply_bytes=max_reply_bytes, options=options)
        )
        made.append(adapter)
        return adapter

    yield make
    for adapter in made:
        adapter.close()


@pytest.fixture
def question() -> ChatRequest:
    return ChatRequest(model="alpha", messages=(Message("user", (TextPart("What is quantum computing?"),)),))
