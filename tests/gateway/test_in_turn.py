"""Calls that a provider writes at the same time are told one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest

from gateway.in_turn import InTurn
from services.adapters.base import Delta, TextDelta, ToolCallDelta
from services.models import Service
from tests.gateway.conftest import Streamed


def told(*deltas: Delta) -> tuple[list[Delta], list[Delta]]:
    """What is told as it comes, and what only at the end."""
    turn = InTurn()
    return [told for delta in deltas for told in turn.take(delta)], list(turn.rest())


FIRST, SECOND = ToolCallDelta(0, "a", "f"), ToolCallDelta(1, "b", "g")


def more(call: int, arguments: str) -> ToolCallDelta:
    return ToolCallDelta(call, arguments=arguments)


def test_what_comes_one_after_the_other_is_told_at_once() -> None:
    pieces: list[Delta] = [
        TextDelta("So: "),
        FIRST,
        more(0, '{"n":'),
        more(0, "1}"),
        SECOND,
        more(1, "{}"),
        TextDelta("Done."),
    ]
    assert told(*pieces) == (pieces, [])


def test_a_call_waits_until_the_one_before_is_whole() -> None:
    at_once, later = told(FIRST, SECOND, more(1, "{"), TextDelta("x"), more(0, "{}"), more(1, "}"))
    assert at_once == [FIRST, more(0, "{}"), SECOND, more(1, "{"), more(1, "}"), TextDelta("x")]
    assert later == []


def test_at_the_end_nobody_waits_any_more() -> None:
    third = ToolCallDelta(2, "c", "h")
    assert told(FIRST, SECOND, third, more(1, "{"), TextDelta("x")) == (
        [FIRST],
        [SECOND, more(1, "{"), third, TextDelta("x")],
    )


def test_a_piece_that_says_nothing_does_not_open_a_call_again() -> None:
    pieces: list[Delta] = [FIRST, more(0, "{}"), SECOND, more(1, "{}")]
    assert told(*pieces, more(0, ""), more(1, "")) == (pieces, [])


def test_many_calls_at_once_are_read_no_more_often_than_they_have_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Mock(side_effect=msgspec.json.decode)
    monkeypatch.setattr("gateway.in_turn.msgspec.json.decode", read)
    begun: list[Delta] = [ToolCallDelta(call, f"c{call}", "f") for call in range(400)]
    at_once, later = told(*begun, *(more(call, piece) for piece in ('{"n":', "1}") for call in range(400)))
    order = [delta.index for delta in at_once if isinstance(delta, ToolCallDelta)]
    assert order == [call for call in range(400) for _ in range(3)]
    assert later == []
    assert read.call_count <= len(at_once)


def chunk(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": calls}}]}


INTERLEAVED = [
    chunk(*({"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": '{"n":'}} for i in (0, 1))),
    *(chunk({"index": i, "function": {"arguments": f"{i}}}"}}) for i in (0, 1)),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
]
ASKED = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 9}


@pytest.mark.parametrize(
    ("path", "body", "begins", "goes_on"),
    [
        ("/v1/messages", ASKED, "content_block_start", "content_block_delta"),
        ("/v1/responses", {"input": "x"}, "response.output_item.added", "response.function_call_arguments.delta"),
    ],
)
def test_each_call_is_opened_once_and_has_all_its_arguments(
    service: Callable[..., Service], streamed: Streamed, path: str, body: dict[str, Any], begins: str, goes_on: str
) -> None:
    service("first")
    heard = streamed(path, INTERLEAVED, **body)
    opened = [each.get("content_block") or each["item"] for each in heard if each["type"] == begins]
    assert [each.get("call_id") or each["id"] for each in opened] == ["c0", "c1"]
    texts = ["", ""]
    for each in heard:
        if each["type"] == goes_on:
            place = each.get("index", each.get("output_index"))
            texts[place] += each["delta"]["partial_json"] if path == "/v1/messages" else each["delta"]
    assert texts == ['{"n":0}', '{"n":1}']
