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
    ("fields", "advice"),
    [
        ({"suffix": "}"}, "leave suffix out"),
        ({"echo": True}, "leave echo out"),
        ({"best_of": 2}, "leave best_of out"),
        ({"logprobs": 1}, "/v1/chat/completions: leave logprobs out"),
        ({"n": 2}, "leave n out, or use /v1/chat/completions"),
        ({"prompt": ""}, "prompt must be one text"),
        ({"prompt": []}, "prompt must be one text"),
        ({"prompt": ["a", "b"]}, "send each prompt in a request of its own"),
        ({"prompt": [1, 2]}, "prompt must be one text"),
        ({"prompt": [[1]]}, "prompt must be one text"),
        ({"prompt": 7}, "^prompt:"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], advice: str) -> None:
    with pytest.raises(BodyError, match=advice):
        read(**fields)
