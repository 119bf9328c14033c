"""The answer to an old completion, at once and as a stream."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway import completion_answer
from services.adapters.base import Reply, Usage
from services.models import Service
from tasks.models import Task
from tests.gateway.conftest import Streamed

SAID = {"id": "theirs", "model": "alpha", "choices": [{"index": 0, "delta": {"content": "Be"}}]}
MORE = {"id": "theirs", "model": "alpha", "choices": [{"index": 0, "delta": {"content": "cause."}}]}
ENDED = {"id": "theirs", "model": "alpha", "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}


def test_an_answer_has_all_that_clients_look_for() -> None:
    task = Task(created_at=datetime(2026, 1, 2, tzinfo=UTC))
    told = completion_answer._completion(task, Reply("alpha", "Because.", finish_reason="length", usage=Usage(3, 2)))
    assert (told["id"], told["object"], told["model"]) == (f"cmpl-{task.pk.hex}", "text_completion", "alpha")
    assert told["choices"] == [{"index": 0, "text": "Because.", "logprobs": None, "finish_reason": "length"}]
    assert told["usage"]["total_tokens"] == 5


@pytest.fixture
def completed(service: Callable[..., Service], streamed: Streamed) -> Callable[..., list[Any]]:
    service("first")
    return lambda **body: streamed("/v1/completions", [SAID, MORE, ENDED], prompt="Why?", **body)


def test_a_stream_tells_the_text_and_then_why_it_ended(completed: Callable[..., list[Any]]) -> None:
    *chunks, done = completed()
    assert done == "[DONE]"
    assert [(choice["text"], choice["finish_reason"]) for each in chunks for choice in each["choices"]] == [
        ("Be", None),
        ("cause.", None),
        ("", "length"),
    ]
    assert {(each["id"], each["object"], each["created"], each["model"]) for each in chunks} == {
        (chunks[0]["id"], "text_completion", chunks[0]["created"], "alpha")
    }
    assert not any("usage" in each for each in chunks)


ODD = [
    {"id": "theirs", "object": "", "model": "alpha", "choices": [{"text": "Be", "finish_reason": None}], "usage": {}},
    {"id": "other", "choices": [{"index": 1, "text": "Why", "logprobs": {"tokens": ["Why"]}}]},
    {"choices": [{"index": 0, "text": None, "finish_reason": "eos"}]},
    {"choices": [{"index": 1, "text": "", "finish_reason": "length"}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}},
]


def test_chunks_of_the_same_form_pass_with_what_clients_look_for(
    service: Callable[..., Service], streamed: Streamed
) -> None:
    service("first")
    *chunks, last, done = streamed(
        "/v1/completions", ODD, prompt="Why?", n=2, stream_options={"include_usage": True}, logprobs=1
    )
    assert done == "[DONE]"
    assert {(each["id"], each["object"], each["model"], each["usage"]) for each in chunks} == {
        ("theirs", "text_completion", "alpha", None)
    }
    assert [each["choices"] for each in chunks] == [
        [{"index": 0, "text": "Be", "logprobs": None, "finish_reason": None}],
        [{"index": 1, "text": "Why", "logprobs": {"tokens": ["Why"]}, "finish_reason": None}],
        [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}],
        [{"index": 1, "text": "", "logprobs": None, "finish_reason": "length"}],
    ]
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 9)


def test_figures_of_a_stream_come_last_and_only_where_they_are_asked_for(completed: Callable[..., list[Any]]) -> None:
    *chunks, last, done = completed(stream_options={"include_usage": True})
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0
    assert all(each["choices"] for each in chunks)
    assert done == "[DONE]"
