"""Every tool call has one result, in its order, under an id that the vendor takes."""

from __future__ import annotations

import re

import pytest

from services.adapters.base import Message, Role, TextPart, ToolCall
from services.adapters.conversation import ANTHROPIC_IDS, ANY, MISTRAL_IDS, OPENAI_IDS, Spelling, repaired


def say(role: Role, text: str) -> Message:
    return Message(role, (TextPart(text),))


def calls(*ids: str) -> Message:
    return Message("assistant", tool_calls=tuple(ToolCall(each, "look", "{}") for each in ids))


def result(identity: str, text: str) -> Message:
    return Message("tool", (TextPart(text),), tool_call_id=identity)


def shape(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Role and, of tools, the id and the text of each turn."""
    return [
        (message.role, f"{message.tool_call_id}={message.text}" if message.role == "tool" else message.text)
        for message in messages
    ]


def test_a_conversation_without_tools_stays_the_same() -> None:
    messages = (say("user", "Hi"), say("assistant", "Hello"))
    assert repaired(messages, ANY) is messages


@pytest.mark.parametrize("identity", ["functions.search:12", "ä b", "x" * 80 + "/", "", "call|1|fc_2"])
@pytest.mark.parametrize(
    ("ids", "pattern"),
    [
        (ANTHROPIC_IDS, r"[a-zA-Z0-9_-]+"),
        (OPENAI_IDS, r".{1,40}"),
        (MISTRAL_IDS, r"[a-zA-Z0-9]{9}"),
    ],
)
def test_an_id_is_spelled_as_the_vendor_takes_it_on_both_sides(ids: Spelling, pattern: str, identity: str) -> None:
    _, called, answered = repaired((say("user", "Hi"), calls(identity), result(identity, "found")), ids)
    assert called.tool_calls[0].id == answered.tool_call_id
    assert re.fullmatch(pattern, answered.tool_call_id)


def test_ids_that_differ_in_odd_characters_alone_stay_apart() -> None:
    assert len({ANTHROPIC_IDS.fit(each) for each in ("a.b", "a:b", "a b", "a_b")}) == 4


def test_a_good_id_stays() -> None:
    for ids, good in ((ANTHROPIC_IDS, "toolu_01-x" * 9), (OPENAI_IDS, "functions.look:0"), (MISTRAL_IDS, "aB3xK9mP2")):
        assert ids.fit(good) == good


def test_an_id_that_comes_again_in_a_later_turn_gets_a_new_one() -> None:
    messages = (calls("c"), result("c", "one"), say("user", "again"), calls("c"), result("c", "two"))
    told = repaired(messages, ANTHROPIC_IDS)
    first, second = told[0].tool_calls[0].id, told[3].tool_calls[0].id
    assert first != second
    assert [told[1].tool_call_id, told[4].tool_call_id] == [first, second]


def test_results_stand_in_the_order_of_their_calls() -> None:
    told = repaired((calls("a", "b", "c"), result("c", "3"), result("a", "1"), result("b", "2")), ANY)
    assert shape(told[1:]) == [("tool", "a=1"), ("tool", "b=2"), ("tool", "c=3")]


def test_results_without_ids_answer_the_calls_in_turn() -> None:
    told = repaired((calls("", ""), result("", "one"), result("", "two")), ANY)
    assert [message.text for message in told[1:]] == ["one", "two"]
    assert [message.tool_call_id for message in told[1:]] == [call.id for call in told[0].tool_calls]
    assert len({call.id for call in told[0].tool_calls}) == 2


def test_a_missing_result_is_said_to_be_missing() -> None:
    told = repaired((calls("a", "b"), result("b", "2"), say("user", "Go on")), ANY)
    assert [message.role for message in told] == ["assistant", "tool", "tool", "user"]
    assert "No result" in told[1].text


def test_calls_at_the_end_have_results_too() -> None:
    assert [message.role for message in repaired((say("user", "Hi"), calls("a")), ANY)] == ["user", "assistant", "tool"]


def test_what_was_said_between_a_call_and_its_result_comes_behind_it() -> None:
    told = repaired((calls("a"), say("user", "Hurry"), result("a", "1")), ANY)
    assert shape(told[1:]) == [("tool", "a=1"), ("user", "Hurry")]


@pytest.mark.parametrize("before", [(), (calls("a"), result("a", "1"))], ids=["no call", "another call"])
def test_the_result_of_an_unknown_call_is_said_by_the_user(before: tuple[Message, ...]) -> None:
    told = repaired((*before, result("gone", "42")), ANY)
    assert told[-1].role == "user"
    assert told[-1].text.endswith("42")


def test_two_results_of_one_call_become_one() -> None:
    told = repaired((calls("a"), result("a", "1"), result("a", "2")), ANY)
    assert shape(told[1:]) == [("tool", "a=12")]


def test_calls_in_neighbouring_turns_are_answered_together() -> None:
    told = repaired((calls("a"), calls("b"), result("a", "1"), result("b", "2")), ANY)
    assert [len(message.tool_calls) for message in told] == [2, 0, 0]
