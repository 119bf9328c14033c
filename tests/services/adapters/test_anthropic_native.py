"""A conversation that another provider's model had a part in is one that Anthropic takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.adapters.anthropic_native import repaired


def use(identity: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": "look", "input": {}}


def result(identity: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identity, "content": "found"}


def said(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def heard(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [said(use("toolu_1"), use("toolu_2")), heard(result("toolu_1"), result("toolu_2"))]},
        {"messages": [heard(text(" "), {"type": "new"}), {"role": "user", "content": "Hi"}]},
        {"messages": "nonsense"},
        {"messages": [7, {"content": None}, {"role": "assistant", "content": [5, {"type": "tool_use"}]}]},
        {},
    ],
)
def test_everything_else_stays_the_very_same(body: dict[str, Any]) -> None:
    assert repaired(body) is body


@pytest.mark.parametrize("identity", ["functions.look:0", "call.1", "ü", "", "a b"])
def test_ids_are_respelled_on_both_sides(identity: str) -> None:
    body = repaired({"messages": [said(use(identity)), heard(result(identity), text("So?"))], "top_k": 1})
    (called,), (answered, _) = (message["content"] for message in body["messages"])
    assert called["id"] == answered["tool_use_id"]
    assert re.fullmatch("[a-zA-Z0-9_-]+", called["id"])
    assert body["top_k"] == 1


def test_an_id_that_comes_again_is_told_apart() -> None:
    turns = [said(use("call_0")), heard(result("call_0")), said(use("call_0")), heard(result("call_0"))]
    body = repaired({"messages": turns})
    first, second = body["messages"][0]["content"][0]["id"], body["messages"][2]["content"][0]["id"]
    assert first == "call_0" != second
    assert body["messages"][3]["content"][0]["tool_use_id"] == second


def test_results_of_calls_with_one_id_in_one_turn_are_told_apart() -> None:
    body = repaired({"messages": [said(use("a"), use("a")), heard(result("a"), result("a"))]})
    calls, results = (message["content"] for message in body["messages"])
    assert [each["id"] for each in calls] == [each["tool_use_id"] for each in results] == ["a", "a_2"]


def test_blank_text_of_a_model_is_taken_out() -> None:
    turns = [said(text("\n\n"), use("t")), heard(result("t")), said(text(" ")), {"role": "assistant", "content": "\n"}]
    assert repaired({"messages": turns})["messages"] == [said(use("t")), heard(result("t"))]
