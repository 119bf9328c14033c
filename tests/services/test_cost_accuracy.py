"""What each vendor's answer costs, whole and as a stream, by the vendor's own arithmetic."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pytest

from services.adapters.base import ChatRequest, Connection, Message, TextPart, Usage
from services.adapters.http import HttpAdapter
from services.adapters.registry import adapter_class
from services.prices import Cost, cost_of
from tests.services.cost_rows import ROWS, Row

# What each protocol needs around the usage to be an answer.
WHOLE: Mapping[str, Mapping[str, Any]] = {
    "openai": {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]},
    "anthropic": {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]},
    "ollama": {"message": {"role": "assistant", "content": "Hi"}, "done": True, "done_reason": "stop"},
}


def adapter_of(row: Row) -> HttpAdapter:
    adapter = adapter_class(row.api)(Connection(service="vendor", base_url=row.base_url))
    assert isinstance(adapter, HttpAdapter)
    return adapter


def request(row: Row) -> ChatRequest:
    return ChatRequest(row.model, (Message("user", (TextPart("Hello"),)),))


def check(row: Row, usage: Usage, model: str) -> None:
    found = asdict(usage)
    assert {name: found[name] for name in row.tokens} == row.tokens
    assert usage.reported
    cost = cost_of(usage, model=model, base_url=row.base_url, override=row.override)
    assert cost == Cost(row.nanodollars, row.basis)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_whole_answer_costs_what_the_vendor_charges(row: Row) -> None:
    answer = {"model": row.model, **WHOLE[row.api], **row.answer}

    reply = adapter_of(row).parse_reply(json.dumps(answer).encode(), request(row))

    check(row, reply.usage, row.model)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_stream_costs_the_same(row: Row) -> None:
    reader = adapter_of(row).reader(request(row))

    for event in events(row):
        list(reader.read(json.dumps(event).encode()))

    check(row, reader.end.usage, row.model)


def events(row: Row) -> Iterator[Mapping[str, Any]]:
    match row.api:
        case "openai":
            yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}], "usage": None}
            yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            yield from row.chunks or [{"choices": [], **row.answer}]
        case "anthropic":
            text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
            start, *rest = row.chunks or _anthropic(row.answer)
            yield from (start, {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}, text)
            yield from (*rest, {"type": "message_stop"})
        case "gemini":
            yield {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}
            yield from row.chunks or [row.answer]
            yield {"candidates": [{"finishReason": "STOP"}]}
        case "ollama":
            yield {**WHOLE["ollama"], "done": False}
            yield {"done": True, "done_reason": "stop", **row.answer}


def _anthropic(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    usage = answer["usage"]
    return [
        {"type": "message_start", "message": {"content": [], "usage": {**usage, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
    ]


def test_each_row_names_its_source() -> None:
    assert len(ROWS) >= 20
    assert all(row.source.startswith("https://") for row in ROWS)
