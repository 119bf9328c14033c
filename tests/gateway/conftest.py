from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.fake_provider import FakeProvider
from tests.sse import events

Streamed = Callable[..., list[Any]]


@pytest.fixture
def streamed(client: APIClient, provider: FakeProvider) -> Streamed:
    """What a client hears of a stream, `[DONE]` included, while the provider sends just these chunks."""

    def ask(path: str, chunks: Iterable[Any], **body: Any) -> list[Any]:
        sent = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        provider.misbehave("raw", body=sent.encode(), content_type="text/event-stream")
        answer: Any = client.post(path, {"model": "first", "stream": True, **body}, format="json")
        return [data for _, data in events(b"".join(answer.streaming_content).split(b"\n")[:-1])]

    return ask
