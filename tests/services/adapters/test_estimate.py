from __future__ import annotations

from services.adapters.base import ChatRequest, Message, TextPart, ToolCall
from services.adapters.estimate import estimate


def test_four_characters_are_taken_for_a_token() -> None:
    messages = (
        Message("system", (TextPart("x" * 10),)),
        Message("user", (TextPart("x" * 20), TextPart("x" * 10))),
        Message("assistant", tool_calls=(ToolCall("c", "f" * 4, "x" * 6),)),
    )
    usage = estimate(ChatRequest("m", messages), "y" * 9)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reported) == (13, 3, False)


def test_nothing_is_no_token() -> None:
    assert estimate(ChatRequest("m", ()), "").total_tokens == 0
