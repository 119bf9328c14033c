"""What clients trip over in a provider's chunks is taken out; everything else stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.chat_stream import Tidy
from services.models import Service
from tests.gateway.conftest import Streamed


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


def calls_in(*deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tidy = Tidy()
    told = [only(tidy.chunk(chunk(delta={"tool_calls": calls})))["delta"]["tool_calls"] for calls in deltas]
    return [call for calls in told for call in calls]


def test_calls_in_chunks_of_their_own_without_an_index_stay_apart() -> None:
    told = calls_in([{"id": "a", "function": {"name": "f"}}], [{"id": "b", "function": {"name": "g"}}])
    assert [(call["index"], call["id"], call["function"]["name"]) for call in told] == [(0, "a", "f"), (1, "b", "g")]


def test_calls_without_anything_that_tells_them_apart_begin_with_their_names() -> None:
    told = calls_in(
        [{"function": {"name": "f", "arguments": "{"}}],
        [{"function": {"arguments": "}"}}],
        [{"function": {"name": "g", "arguments": "{}"}}],
    )
    assert [call["index"] for call in told] == [0, 0, 1]
    assert told[1] == {"index": 0, "function": {"arguments": "}"}}
    assert told[0]["id"] != told[2]["id"]
    assert all(call["id"].startswith("call_") for call in (told[0], told[2]))


def test_numbers_of_calls_begin_at_0_and_have_no_gap() -> None:
    told = calls_in([{"index": 1, "id": "a"}, {"index": 4, "id": "b"}], [{"index": 4, "function": {"arguments": "x"}}])
    assert [call["index"] for call in told] == [0, 1, 1]


def test_calls_of_two_choices_are_numbered_apart() -> None:
    tidy = Tidy()
    told = [
        only(tidy.chunk(chunk(index=index, delta={"tool_calls": [{"id": f"c{index}"}]})))["delta"]["tool_calls"][0]
        for index in (0, 1)
    ]
    assert told == [{"id": "c0", "index": 0}, {"id": "c1", "index": 0}]


def test_arguments_are_a_text() -> None:
    first, second, third = calls_in(
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"city": "Oslo"}}}],
        [{"index": 0, "function": {"arguments": None}}],
        [{"index": 1, "id": "b", "type": "custom", "custom": {"name": "f", "input": "x"}}],
    )
    assert first["function"]["arguments"] == '{"city":"Oslo"}'
    assert second["function"] == {"arguments": None}
    assert third["custom"] == {"name": "f", "input": "x"}


def test_an_empty_reason_to_finish_is_none() -> None:
    tidy = Tidy()
    assert only(tidy.chunk(chunk(index=None, delta={}, finish_reason=""))) == {
        "index": 0,
        "delta": {},
        "finish_reason": None,
    }
    assert not tidy.has_finished


# The stream as a whole, from a provider of the same protocol


@pytest.fixture
def chat(service: Callable[..., Service], streamed: Streamed) -> Callable[..., list[Any]]:
    service("first")

    def ask(*chunks: dict[str, Any], figures: bool = False) -> list[Any]:
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Why?"}]}
        asked |= {"stream_options": {"include_usage": True}} if figures else {}
        return streamed("/v1/chat/completions", [HEAD | each for each in chunks], **asked)

    return ask


HEAD = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 7, "model": "alpha"}
PRELUDE = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
SAID = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Because."}}]}
ENDED = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def test_figures_in_every_chunk_are_told_once_at_the_end(chat: Callable[..., list[Any]]) -> None:
    parts = [SAID | {"usage": {"completion_tokens": 1}}, ENDED | {"usage": {"completion_tokens": 2}, "timings": 3}]
    *chunks, last, done = chat(*parts, figures=True)
    assert all(each["choices"] and each["usage"] is None for each in chunks)
    assert last == HEAD | {"choices": [], "usage": {"completion_tokens": 2}, "timings": 3}
    assert done == "[DONE]"


def test_figures_that_nobody_asked_for_are_not_told(chat: Callable[..., list[Any]]) -> None:
    *chunks, done = chat(SAID | {"usage": {"completion_tokens": 1}}, ENDED, {"choices": [], "usage": {"total": 9}})
    assert all(each["choices"] and "usage" not in each for each in chunks)
    assert (len(chunks), done) == (2, "[DONE]")


def test_figures_that_a_provider_leaves_out_are_estimated(chat: Callable[..., list[Any]]) -> None:
    last = chat(SAID, ENDED, figures=True)[-2]
    assert {name: last[name] for name in HEAD} == HEAD
    assert last["usage"]["completion_tokens"] > 0


def test_a_chunk_without_choices_is_left_out_and_names_nothing(chat: Callable[..., list[Any]]) -> None:
    *chunks, done = chat(PRELUDE, SAID, figures=True)
    assert {(each["id"], each["created"], each["model"]) for each in chunks} == {("chatcmpl-7", 7, "alpha")}
    assert [choice["finish_reason"] for each in chunks for choice in each["choices"]] == [None, "stop"]
    assert done == "[DONE]"
