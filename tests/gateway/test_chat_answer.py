"""The answer to a chat, from a service of another protocol and from one of the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from gateway import chat_answer
from services.adapters.base import Reply, ToolCall, Usage
from tasks.models import Task

TASK = Task(created_at=datetime(2026, 1, 2, tzinfo=UTC))


def told(**fields: Any) -> Any:
    return json.loads(chat_answer.completion(TASK, Reply("alpha", **fields)))


def message(**fields: Any) -> Any:
    (choice,) = told(**fields)["choices"]
    return choice["message"]


def test_an_answer_has_all_that_clients_look_for() -> None:
    answer = told(text="Because.")
    assert answer["id"] == f"chatcmpl-{TASK.pk.hex}"
    assert (answer["object"], answer["created"], answer["model"]) == ("chat.completion", 1_767_312_000, "alpha")
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Because.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]


def test_calls_come_with_their_arguments_as_text_and_no_empty_content() -> None:
    calls = (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "{}"))
    said = message(tool_calls=calls, finish_reason="tool_calls")
    assert said["content"] is None
    assert said["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    assert message(text="Let me see.", tool_calls=calls)["content"] == "Let me see."


def test_thoughts_stand_beside_the_answer_and_only_where_there_are_some() -> None:
    assert message(text="x", reasoning="Hm.")["reasoning_content"] == "Hm."
    assert "reasoning_content" not in message(text="x")
    assert "tool_calls" not in message(text="x")


def test_an_answer_without_words_is_an_empty_text() -> None:
    assert message()["content"] == ""


def test_figures_count_what_was_cached_and_thought_within_the_whole() -> None:
    spent = Usage(10, 7, cached_tokens=4, cache_write_tokens=3, reasoning_tokens=2)
    assert told(usage=spent)["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def test_a_service_of_the_same_protocol_speaks_for_itself() -> None:
    own = b'{"id": "theirs",  "choices": [{"something": "new"}]}'
    assert chat_answer.completion(TASK, Reply("alpha", text="x", native=own)) == own
