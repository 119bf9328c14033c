"""What servers that nearly speak OpenAI's protocol mean, in the words that its clients know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from services.adapters.base import FinishReason, ToolCallDelta
from services.adapters.wire import arguments_text, make_call_id

# https://platform.openai.com/docs/api-reference/chat/object
_OWN: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# And what servers behind its protocol send: the words of Anthropic, Gemini, Mistral, Together, Cohere and Hugging Face;
# GLM's (https://docs.z.ai/api-reference/llm/chat-completion).
_FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    **_OWN,
    **dict.fromkeys(("end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"), "length"),
    **dict.fromkeys(("tool_use", "tool_call"), "tool_calls"),
    **dict.fromkeys(("refusal", "safety", "sensitive", "recitation", "prohibited_content"), "content_filter"),
    **dict.fromkeys(("blocklist", "spii", "error_toxic"), "content_filter"),
}
# An answer that its server gave up: https://api-docs.deepseek.com/api/create-chat-completion and GLM's page above.
_INTERRUPTED: Final = frozenset({"insufficient_system_resource", "network_error"})


def finish_reason(told: str | None) -> FinishReason:
    """Why an answer ended; for what nobody knows, and for silence, that it simply did."""
    word = (told or "").lower()
    if word.startswith("content_filter"):  # Gemini adds why: "content_filter: RECITATION"
        return "content_filter"
    return _FINISH_REASONS.get(word, "stop")


def is_known(told: str) -> bool:
    return told.lower() in _FINISH_REASONS or told.lower().startswith("content_filter")


def is_overload(told: str | None) -> bool:
    """Whether the server stopped for want of resources: trying again may help."""
    return told in _INTERRUPTED


def for_clients(told: str | None) -> str | None:
    """The reason as OpenAI's clients know it: its own words stay, the older `function_call` among them."""
    return told if told in _OWN else finish_reason(told) if told else None


def piece_text(arguments: Any) -> str:
    """A piece of a call's arguments. It is a text, but some servers send the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else msgspec.json.encode(arguments).decode()


def introduce(call: dict[str, Any], identity: str) -> None:
    """Give a call, or the first piece of one, what clients know it by."""
    call["id"] = identity
    call["type"] = call.get("type") or "function"


def _first_text(arguments: Any) -> str:
    """The first piece of a call's arguments, which may be all: some servers send null, or a text encoded twice."""
    text = piece_text(arguments)
    if text.strip() == "null":
        return ""
    return arguments_text(text) if text.startswith('"') else text


@dataclass(slots=True)
class _Known:
    """A call so far, with the server's own number. `place` is None until its name is known; its id may come late."""

    number: int | None
    identity: str
    place: int | None = None
    held: str = ""
    has_arguments: bool = False


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

    def piece(
        self, number: int | None, identity: str, name: str, arguments: Any, *, is_text: bool = False
    ) -> ToolCallDelta | None:
        """None where it has to wait for the name.

        `is_text` is for custom tools: their input is any text, while other arguments are JSON.
        """
        call = self._call(number, identity, name)
        call.has_arguments = call.has_arguments or is_text
        said = piece_text(arguments) if call.has_arguments or call.held else _first_text(arguments)
        call.has_arguments = call.has_arguments or bool(said.strip())
        if call.place is not None:
            return ToolCallDelta(call.place, arguments=said)
        call.held += said
        if not name:
            return None
        call.place, self._told = self._told, self._told + 1
        call.identity = call.identity or make_call_id()
        return ToolCallDelta(call.place, call.identity, name, call.held)

    def silent(self) -> Iterator[ToolCallDelta]:
        """At the end of an answer: "{}" for each call without arguments, since clients read them as JSON."""
        for call in self._calls:
            if call.place is not None and not call.has_arguments:
                call.has_arguments = True
                yield ToolCallDelta(call.place, arguments="{}")

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
