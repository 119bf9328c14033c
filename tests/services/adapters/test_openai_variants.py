from __future__ import annotations

from typing import Any

import pytest

from services.adapters.base import ToolCallDelta
from services.adapters.openai_variants import CallPieces, finish_reason, for_clients


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("function_call", "tool_calls"),
        ("tool_use", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("eos", "stop"),
        ("", "stop"),
        (None, "stop"),
    ],
)
def test_a_reason_is_one_that_oxide_knows(told: str | None, meant: str) -> None:
    assert finish_reason(told) == meant


@pytest.mark.parametrize(
    ("told", "meant"), [("function_call", "function_call"), ("end_turn", "stop"), ("", None), (None, None)]
)
def test_clients_get_their_own_words_and_nothing_for_nothing(told: str | None, meant: str | None) -> None:
    assert for_clients(told) == meant


def told(pieces: CallPieces, number: int | None, identity: str, name: str, arguments: Any = "") -> ToolCallDelta:
    piece = pieces.piece(number, identity, name, arguments)
    assert piece is not None
    return piece


def test_a_piece_of_a_known_call_has_its_number_and_no_name() -> None:
    pieces = CallPieces()
    assert pieces.piece(3, "a", "f", "{") == ToolCallDelta(0, "a", "f", "{")
    assert pieces.piece(3, "a", "f", "}") == ToolCallDelta(0, arguments="}")
    assert pieces.piece(3, "", "", None) == ToolCallDelta(0)


def test_a_new_id_with_a_name_is_a_new_call_whatever_its_number() -> None:
    pieces = CallPieces()
    assert [told(pieces, 0, *said).index for said in (("a", "f"), ("b", "g"), ("", ""))] == [0, 1, 1]


def test_an_id_that_changes_without_a_name_is_no_new_call() -> None:
    pieces = CallPieces()
    assert [told(pieces, 0, "a", "f").index, told(pieces, 0, "b", "", "{}").index] == [0, 0]


def test_pieces_without_number_go_by_their_id_and_those_without_id_to_the_last_call() -> None:
    pieces = CallPieces()
    sent = [("a", "f"), ("b", "g"), ("a", ""), ("", "")]
    assert [told(pieces, None, *said).index for said in sent] == [0, 1, 0, 1]


def test_a_call_without_an_id_is_given_one() -> None:
    pieces = CallPieces()
    first, second = told(pieces, None, "", "f", {}), told(pieces, None, "", "f", {"a": 1})
    assert (first.index, second.index) == (0, 1)
    assert first.id.startswith("call_")
    assert first.id != second.id
    assert second.arguments == '{"a":1}'


def test_a_piece_waits_for_the_name_of_its_call() -> None:
    pieces = CallPieces()
    assert pieces.piece(0, "a", "", "{") is None
    assert pieces.is_waiting
    assert pieces.piece(1, "b", "g", "") == ToolCallDelta(0, "b", "g")
    assert pieces.piece(0, "", "f", "}") == ToolCallDelta(1, "a", "f", "{}")
    assert not pieces.is_waiting


def test_a_call_may_get_its_id_with_its_name() -> None:
    pieces = CallPieces()
    assert pieces.piece(None, "", "", "{") is None
    assert pieces.piece(None, "a", "f", "}") == ToolCallDelta(0, "a", "f", "{}")
