"""A conversation in the order that providers insist on: each tool call with its result, under an id that they take."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from services.adapters.base import Message, TextPart, ToolCall

# Models go on from this as from any result; vendors refuse a call that has none.
_NO_RESULT: Final = TextPart("No result was recorded for this tool call.")
_ORPHAN: Final = TextPart("Result of a tool call that is no longer part of this conversation:\n")
_UNSAFE: Final = re.compile(r"[^a-zA-Z0-9_-]")
_DIGEST_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a vendor accepts as an id or a name, and how to turn any other text into one, always the same way.

    The replacement ends in a digest of the original, so that two texts do not become the same.
    """

    accepted: re.Pattern[str]
    length: int
    is_alphanumeric: bool = False

    def fit(self, text: str) -> str:
        if self.accepted.fullmatch(text):
            return text
        digest = blake2b(text.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES)
        if self.is_alphanumeric:
            return b32encode(digest.digest()).decode().rstrip("=")[: self.length]
        stem = _UNSAFE.sub("_", text)[: self.length - 2 * _DIGEST_BYTES - 1]
        return f"{stem if stem[:1].isalpha() else f't{stem[1:]}'}_{digest.hexdigest()}"


ANY: Final = Spelling(re.compile(r".+", re.DOTALL), 64)
# "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'": https://github.com/langchain-ai/langchain/pull/37756
ANTHROPIC_IDS: Final = Spelling(re.compile(r"[a-zA-Z0-9_-]+"), 64)
# "expected a string with maximum length 40": https://github.com/agno-agi/agno/issues/5382
OPENAI_IDS: Final = Spelling(re.compile(r".{1,40}", re.DOTALL), 40)
# "must be a-z, A-Z, 0-9, with a length of 9": https://github.com/langchain-ai/langchain/pull/24668
MISTRAL_IDS: Final = Spelling(re.compile(r"[a-zA-Z0-9]{9}"), 9, is_alphanumeric=True)


def repaired(messages: tuple[Message, ...], ids: Spelling) -> tuple[Message, ...]:
    """The conversation with unique ids; behind each turn that calls tools stands one result for each of its calls.

    A missing result is replaced by a sentence that says so, and a result without its call becomes a turn of the
    user's. Messages without tools stay as they are.
    """
    if not any(message.tool_calls or message.role == "tool" for message in messages):
        return messages
    return _Repair(ids).run(messages)


class _Repair:
    def __init__(self, ids: Spelling) -> None:
        self._ids = ids
        self._used: set[str] = set()
        self._told: list[Message] = []

    def run(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        place = 0
        while place < len(messages):
            message = messages[place]
            if message.role == "assistant" and message.tool_calls:
                place = self._exchange(messages, place)
            else:
                self._told.append(_orphan(message) if message.role == "tool" else message)
                place += 1
        return tuple(self._told)

    def _exchange(self, messages: Sequence[Message], start: int) -> int:
        """Take the turn with calls at `start` and all that was said until the next assistant turn; return its place."""
        turn, end = messages[start], start + 1
        while end < len(messages) and messages[end].role == "assistant":
            turn = replace(
                turn, parts=turn.parts + messages[end].parts, tool_calls=turn.tool_calls + messages[end].tool_calls
            )
            end += 1
        results: list[Message | None] = [None] * len(turn.tool_calls)
        others: list[Message] = []
        while end < len(messages) and messages[end].role != "assistant":
            message = messages[end]
            place = _place(turn.tool_calls, results, message) if message.role == "tool" else None
            if place is None:
                others.append(_orphan(message) if message.role == "tool" else message)
            else:
                results[place] = _joined(results[place], message)
            end += 1
        calls = tuple(replace(call, id=self._unique(call.id)) for call in turn.tool_calls)
        self._told.append(replace(turn, tool_calls=calls))
        for call, result in zip(calls, results, strict=True):
            self._told.append(replace(result or Message("tool", (_NO_RESULT,)), tool_call_id=call.id))
        self._told += others
        return end

    def _unique(self, identity: str) -> str:
        wanted = self._ids.fit(identity or "call")
        found, number = wanted, 1
        while found in self._used:
            number += 1
            found = self._ids.fit(f"{wanted}_{number}")
        self._used.add(found)
        return found


def _place(calls: Sequence[ToolCall], results: Sequence[Message | None], message: Message) -> int | None:
    """Which call a result answers. One without an id answers the first call that has no result yet."""
    known = [
        place for place, call in enumerate(calls) if not message.tool_call_id or call.id in (message.tool_call_id, "")
    ]
    exact = [place for place in known if calls[place].id == message.tool_call_id]
    for place in (*exact, *known):
        if results[place] is None:
            return place
    return exact[0] if exact else None


def _joined(earlier: Message | None, later: Message) -> Message:
    return later if earlier is None else replace(earlier, parts=earlier.parts + later.parts)


def _orphan(result: Message) -> Message:
    return Message("user", (_ORPHAN, *result.parts))
