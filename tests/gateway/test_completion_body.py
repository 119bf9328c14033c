"""What clients of the old completions send, read into a task."""

from __future__ import annotations

from typing import Any

import pytest

from apikeys.decoding import BodyError
from gateway import completion_body
from services.adapters.base import ChatRequest, Feature, Message, TextPart


def read(**fields: Any) -> ChatRequest:
    raw = {"model": "auto", "prompt": "Why?", **fields}
    return completion_body.task_request(completion_body.read(raw), raw).chat


@pytest.mark.parametrize("prompt", ["Why?", ["Why?"]])
def test_the_prompt_is_what_the_user_says(prompt: Any) -> None:
    assert read(prompt=prompt).messages == (Message("user", (TextPart("Why?"),)),)


def test_settings_are_read_and_unknown_fields_left_alone() -> None:
    chat = read(max_tokens=5, temperature=0, top_p=1, seed=7, stop="x", user="ada", something_new=1)
    assert (chat.max_tokens, chat.temperature, chat.top_p, chat.seed, chat.stop) == (5, 0.0, 1.0, 7, ("x",))


def test_what_goes_along_asks_for_a_chat_and_has_the_fields_that_nobody_knows() -> None:
    native = read(prompt=["Why?"], max_tokens=5, top_k=3, echo=False, best_of=1, logprobs=0, suffix="", n=1).native
    assert native is not None
    assert (native.protocol, native.body) == (
        "openai",
        {"model": "auto", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 5, "top_k": 3},
    )


def test_what_only_openais_protocol_has_is_known() -> None:
    assert read(logit_bias={"7": -100}).features == {Feature.OPENAI}
    assert read(logit_bias={}).features == frozenset()


@pytest.mark.parametrize("fields", [{"echo": False, "best_of": 1, "n": 1, "logprobs": None, "suffix": ""}, {"n": None}])
def test_what_asks_for_nothing_is_let_pass(fields: dict[str, Any]) -> None:
    assert read(**fields).features == frozenset()


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"suffix": "}"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": 1}, "logprobs"),
        ({"n": 2, "echo": True}, "echo, n"),
        ({"prompt": ""}, "an empty prompt"),
        ({"prompt": ["a", "b"], "suffix": "x"}, "several prompts, suffix"),
        ({"prompt": [1, 2]}, "a prompt of tokens"),
        ({"prompt": [[1]]}, "a prompt of tokens"),
        ({"prompt": [[1], [2, 3]]}, "several prompts"),
    ],
)
def test_what_no_conversation_can_say_goes_as_it_is_to_who_has_the_same_form(
    fields: dict[str, Any], needed: str
) -> None:
    chat = read(**fields, something_new=1)
    assert chat.features == {Feature.COMPLETIONS}
    assert chat.needed_by == {Feature.COMPLETIONS: needed}
    assert chat.native is not None
    assert chat.native.body == {"model": "auto", "prompt": "Why?", "something_new": 1, **fields}


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [(["a", "b"], ["a", "b"]), ([1, 2], ["[2 tokens]"]), ([[1], [2, 3]], ["[1 tokens]", "[2 tokens]"])],
)
def test_the_history_sees_every_prompt(prompt: Any, texts: list[str]) -> None:
    assert read(prompt=prompt).messages == (Message("user", tuple(map(TextPart, texts))),)


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"prompt": []}, "prompt must be 1 to 2048 texts"),
        ({"prompt": ["a", 1]}, "prompt must be 1 to 2048 texts"),
        ({"prompt": [[]]}, "prompt must be 1 to 2048 texts"),
        ({"prompt": ["a"] * 2049}, "prompt must be 1 to 2048 texts"),
        ({"prompt": 7}, "^prompt:"),
        ({"prompt": None}, "^prompt:"),
        ({"echo": "yes"}, "^echo:"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], advice: str) -> None:
    with pytest.raises(BodyError, match=advice):
        read(**fields)
