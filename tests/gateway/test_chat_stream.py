"""What clients trip over in a provider's chunks is taken out; everything else stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from gateway.chat_stream import Tidy
from services.models import Service
from tasks.models import Task
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


def test_an_empty_reason_to_finish_is_none() -> None:
    tidy = Tidy()
    assert only(tidy.chunk(chunk(index=None, delta={}, finish_reason=""))) == {
        "index": 0,
        "delta": {},
        "finish_reason": None,
    }
    assert not tidy.has_finished


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("tool_use", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("function_call", "function_call"),
        ("content_filter", "content_filter"),
    ],
)
def test_reasons_to_finish_are_those_that_clients_know(sent: str, told: str) -> None:
    assert only(Tidy().chunk(chunk(delta={}, finish_reason=sent)))["finish_reason"] == told


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


def test_all_chunks_have_one_name_whatever_the_server_calls_them(chat: Callable[..., list[Any]]) -> None:
    *chunks, _ = chat({"id": "", "created": None} | SAID, {"id": "chatcmpl-8"} | ENDED, figures=True)
    (name,) = {(each["id"], each["object"], each["created"], each["model"]) for each in chunks}
    assert name[0].startswith("chatcmpl-")
    assert name[1:2] + name[3:] == ("chat.completion.chunk", "alpha")
    assert name[2] > 0


@pytest.fixture
def calls_in(chat: Callable[..., list[Any]]) -> Callable[..., list[dict[str, Any]]]:
    """What becomes of the calls in the deltas of a provider, each a list, as parts of the choice `index`."""

    def ask(*deltas: list[dict[str, Any]], index: int = 0) -> list[dict[str, Any]]:
        sent = ({"choices": [{"index": index, "delta": {"tool_calls": calls}}]} for calls in deltas)
        *chunks, _, _ = chat(*sent, ENDED)  # before the chunk that ends the answer
        told = [choice["delta"].get("tool_calls", ()) for each in chunks for choice in each["choices"]]
        return [call for calls in told for call in calls]

    return ask


@pytest.fixture(params=[0, 1], ids=["first choice", "second choice"])
def calls(request: pytest.FixtureRequest, calls_in: Callable[..., list[dict[str, Any]]]) -> Callable[..., Any]:
    return partial(calls_in, index=request.param)


def test_a_calls_id_and_name_come_once(calls: Callable[..., Any]) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
    first, again = calls([call], [{**call, "function": {"name": "f", "arguments": "}"}}])
    assert first == call
    assert again == {"index": 0, "function": {"arguments": "}"}}


def test_calls_without_an_index_get_one(calls: Callable[..., Any]) -> None:
    told = calls([{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g"}}])
    assert [(call["index"], call["type"]) for call in told] == [(0, "function"), (1, "function")]


def test_calls_in_chunks_of_their_own_without_an_index_stay_apart(calls: Callable[..., Any]) -> None:
    told = calls([{"id": "a", "function": {"name": "f"}}], [{"id": "b", "function": {"name": "g"}}])
    assert [(call["index"], call["id"], call["function"]["name"]) for call in told] == [(0, "a", "f"), (1, "b", "g")]


def test_calls_that_all_have_the_same_number_stay_apart(calls: Callable[..., Any]) -> None:
    told = calls(
        [{"index": 0, "id": "a", "function": {"name": "f"}}], [{"index": 0, "id": "b", "function": {"name": "g"}}]
    )
    assert [(call["index"], call["id"]) for call in told] == [(0, "a"), (1, "b")]


def test_calls_without_anything_that_tells_them_apart_begin_with_their_names(calls: Callable[..., Any]) -> None:
    told = calls(
        [{"function": {"name": "f", "arguments": "{"}}],
        [{"function": {"arguments": "}"}}],
        [{"function": {"name": "g", "arguments": "{}"}}],
    )
    assert [call["index"] for call in told] == [0, 0, 1]
    assert told[1] == {"index": 0, "function": {"arguments": "}"}}
    assert told[0]["id"] != told[2]["id"]
    assert all(call["id"].startswith("call_") for call in (told[0], told[2]))


def test_numbers_of_calls_begin_at_0_and_have_no_gap(calls: Callable[..., Any]) -> None:
    begun = [{"index": 1, "id": "a", "function": {"name": "f"}}, {"index": 4, "id": "b", "function": {"name": "g"}}]
    told = calls(begun, [{"index": 4, "function": {"arguments": "x"}}])
    assert [call["index"] for call in told] == [0, 1, 1]


def test_a_call_begins_once_its_name_is_known(calls: Callable[..., Any]) -> None:
    told = calls(
        [{"index": 0, "id": "a", "type": "function", "function": {"name": "", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": "{"}}],
        [{"index": 0, "function": {"name": "f", "arguments": "}"}}],
    )
    assert told == [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_a_call_begins_with_a_text_as_arguments(calls: Callable[..., Any]) -> None:
    (told,) = calls([{"index": 0, "id": "a", "function": {"name": "f"}}])
    assert told["function"]["arguments"] == ""


def test_arguments_are_a_text(calls: Callable[..., Any]) -> None:
    first, second, third = calls(
        [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"city": "Oslo"}}}],
        [{"index": 0, "function": {"arguments": None}}],
        [{"index": 1, "id": "b", "type": "custom", "custom": {"name": "f", "input": "x"}}],
    )
    assert first["function"]["arguments"] == '{"city":"Oslo"}'
    assert second["function"] == {"arguments": ""}
    assert third["custom"] == {"name": "f", "input": "x"}


@pytest.mark.parametrize("arguments", [None, "null", "", " \n"])
def test_a_call_without_arguments_gets_an_empty_object(chat: Callable[..., list[Any]], arguments: Any) -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    *chunks, _ = chat({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}, ended)
    calls = [call for each in chunks for call in each["choices"][0]["delta"].get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls).strip() == "{}"
    assert [call.get("id") for call in calls] == ["a", None]


@pytest.mark.parametrize("written", ["", "null", '"x"'])
def test_the_input_of_a_custom_tool_is_any_text(chat: Callable[..., list[Any]], written: str) -> None:
    call = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": written}}
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    *chunks, _ = chat({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}, ended)
    assert [each["choices"][0]["delta"].get("tool_calls") for each in chunks] == [[call], None]


def test_calls_of_two_choices_are_numbered_apart(chat: Callable[..., list[Any]]) -> None:
    choices = [
        {"index": index, "delta": {"tool_calls": [{"id": f"c{index}", "function": {"name": "f"}}]}} for index in (0, 1)
    ]
    first, *_ = chat({"choices": choices}, ENDED)
    told = [choice["delta"]["tool_calls"] for choice in first["choices"]]
    assert [[(call["id"], call["index"]) for call in calls] for calls in told] == [[("c0", 0)], [("c1", 0)]]


def test_the_history_knows_a_call_by_the_id_that_its_client_was_told(calls_in: Callable[..., Any]) -> None:
    (told,) = calls_in([{"function": {"name": "f", "arguments": "{}"}}])
    (stored,) = Task.objects.get().tool_calls
    assert stored["id"] == told["id"]
