"""What servers that nearly speak OpenAI's protocol mean, in the words that its clients know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Known:
    """A call so far, with the server's own number. `place` is None until its name is known; its id may come late."""

    number: int | None
    identity: str
    place: int | None = None
    held: str = ""


class CallPieces:
    """The pieces of one answer's tool calls: numbered from 0 without a gap, the id and the name once for each call.

    Some servers number their calls, some give only ids, and some neither: then a name begins the next call. Some
    number each call 0, where a new id with a name begins the next; and an id that changes while no name comes
    belongs to the same call. Some name a call only after they have begun it: what comes before is held back, for
    clients look for the name where a call begins.
    """

    def __init__(self) -> None:
        self._calls: list[_Known] = []
        self._told = 0

    def piece(self, number: int | None, identity: str, name: str, arguments: Any) -> ToolCallDelta | None:
        """None where it has to wait for the name."""
        call, said = self._call(number, identity, name), arguments_text(arguments)
        if call.place is not None:
            return ToolCallDelta(call.place, arguments=said)
        call.held += said
        if not name:
            return None
        call.place, self._told = self._told, self._told + 1
        call.identity = call.identity or make_call_id()
        return ToolCallDelta(call.place, call.identity, name, call.held)

    @property
    def is_waiting(self) -> bool:
        """Whether some call has not got its name."""
        return self._told < len(self._calls)

    def _call(self, number: int | None, identity: str, name: str) -> _Known:
        known = self._find(number, identity, name)
        if known is None:
            known = _Known(number, identity)
            self._calls.append(known)
        known.identity = known.identity or identity
        return known

    def _find(self, number: int | None, identity: str, name: str) -> _Known | None:
        """Which call a piece belongs to, or None where it begins one."""
        calls: Iterator[_Known] = reversed(self._calls)
        if number is not None:
            calls = (call for call in calls if call.number == number)
            if not (identity and name):
                return next(calls, None)
        if identity:
            return next((call for call in calls if call.identity in ("", identity)), None)
        last = next(calls, None)
        return None if name and last and last.place is not None else last
