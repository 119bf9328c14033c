"""What clients trip over in a provider's chunks is taken out; everything else stays."""

from __future__ import annotations

from typing import Any

from gateway.chat_stream import Tidy


def chunk(**choice: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [choice], "system_fingerprint": "fp"}


def only(told: dict[str, Any]) -> Any:
    (choice,) = told["choices"]
    return choice


def test_the_role_comes_once_for_each_choice() -> None:
    tidy = Tidy()
    first = only(tidy.chunk(chunk(index=0, delta={"role": "assistant", "content": "a"})))
    again = only(tidy.chunk(chunk(index=0, delta={"role": "assistant", "content": "b"})))
    other = only(tidy.chunk(chunk(index=1, delta={"role": "assistant"})))
    assert (first["delta"]["role"], again["delta"], other["delta"]["role"]) == (
        "assistant",
        {"content": "b"},
        "assistant",
    )


def test_a_calls_id_and_name_come_once() -> None:
    tidy = Tidy()
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
    first = only(tidy.chunk(chunk(delta={"tool_calls": [dict(call)]})))["delta"]["tool_calls"][0]
    assert (first["id"], first["function"]["name"]) == ("c", "f")
    again = {**call, "function": {"name": "f", "arguments": "}"}}
    assert only(tidy.chunk(chunk(delta={"tool_calls": [again]})))["delta"]["tool_calls"] == [
        {"index": 0, "function": {"arguments": "}"}}
    ]


def test_calls_without_an_index_get_one() -> None:
    calls = [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g"}}]
    told = only(Tidy().chunk(chunk(delta={"tool_calls": calls})))["delta"]["tool_calls"]
    assert [call["index"] for call in told] == [0, 1]


def test_keys_that_clients_look_for_are_there() -> None:
    told = only(Tidy().chunk(chunk(delta=None)))
    assert told == {"index": 0, "delta": {}, "finish_reason": None}


def test_it_knows_whether_anybody_has_finished() -> None:
    tidy = Tidy()
    tidy.chunk(chunk(delta={"content": "a"}))
    assert not tidy.has_finished
    tidy.chunk(chunk(delta={}, finish_reason="stop"))
    assert tidy.has_finished


def test_everything_else_stays() -> None:
    told = Tidy().chunk(chunk(index=0, delta={"content": "a", "audio": {"id": 1}}, logprobs={"content": []}))
    assert told["system_fingerprint"] == "fp"
    assert only(told)["delta"] == {"content": "a", "audio": {"id": 1}}
    assert only(told)["logprobs"] == {"content": []}
