"""What servers that nearly speak OpenAI's protocol mean, in the words that its clients know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.adapters.base import FinishReason, ToolCallDelta
from services.adapters.wire import make_call_id

# https://platform.openai.com/docs/api-reference/chat/object
_OWN: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# And what servers behind its protocol send: Anthropic's words, Gemini's, those of Mistral and Together.
_FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    **_OWN,
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "safety": "content_filter",
}


def finish_reason(told: str | None) -> FinishReason:
    """Why an answer ended; for what nobody knows, and for silence, that it simply did."""
    return _FINISH_REASONS.get((told or "").lower(), "stop")


def for_clients(told: str | None) -> str | None:
    """The reason as OpenAI's clients know it: its own words stay, the older `function_call` among them."""
    return told if told in _OWN else finish_reason(told) if told else None


def arguments_text(arguments: Any) -> str:
    """Arguments are a text, but some servers send the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else msgspec.json.encode(arguments).decode()


def introduce(call: dict[str, Any], identity: str) -> None:
    """Give a call, or the first piece of one, what clients know it by."""
    call["id"] = identity
    call["type"] = call.get("type") or "function"


class CallPieces:
    """The pieces of one answer's tool calls: numbered from 0 without a gap, the id and the name once for each call.

    Some servers number their calls, some give only ids, and some neither: then a name begins the next call. Some
    number each call 0, where a new id with a name begins the next; and an id that changes while no name comes
    belongs to the same call.
    """

    def __init__(self) -> None:
        self._calls: list[tuple[int | None, str]] = []  # number and id, as the server gives them

    def piece(self, number: int | None, identity: str, name: str, arguments: Any) -> ToolCallDelta:
        place = self._place(number, identity, name)
        if place is not None:
            return ToolCallDelta(place, arguments=arguments_text(arguments))
        self._calls.append((number, identity))
        return ToolCallDelta(len(self._calls) - 1, identity or make_call_id(), name, arguments_text(arguments))

    def _place(self, number: int | None, identity: str, name: str) -> int | None:
        """Which call a piece belongs to, or None where it begins one."""
        places = reversed(range(len(self._calls)))
        if number is not None:
            begins = identity and name
            return next((at for at in places if self._fits(at, number, identity if begins else "")), None)
        if identity:
            return next((at for at in places if self._calls[at][1] == identity), None)
        return None if name else next(places, None)

    def _fits(self, place: int, number: int, identity: str) -> bool:
        known_number, known_identity = self._calls[place]
        return known_number == number and (not identity or identity == known_identity)
