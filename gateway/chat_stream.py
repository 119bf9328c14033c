"""`POST /v1/chat/completions` as a stream: https://platform.openai.com/docs/api-reference/chat/streaming"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway import chat_answer, errors
from gateway.dialect_stream import DialectStream
from services.adapters.base import Delta, ReasoningDelta, Reply, TextDelta, ToolCallDelta, Verbatim
from tasks.event_stream import encoded, event
from tasks.pipeline import Run
from tasks.reading import Piece

DONE = encoded(b"[DONE]")
_HEAD = ("id", "object", "created", "model")


class ChatStream(DialectStream):
    """Chunks that we write or, from a provider of the same protocol, pass on. Both end with [DONE] where all went well.

    `wants_usage` is whether the client asked for figures: many programs trip over the chunk without choices that
    holds them.
    """

    def __init__(self, run: Run, *, wants_usage: bool) -> None:
        super().__init__(run)
        self._wants_usage = wants_usage
        self._tidy = Tidy()
        self._has_told_usage = False
        self._head: Mapping[str, Any] = {}  # what each chunk begins with; empty before the first

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        if isinstance(piece, Verbatim):
            yield from self._passed_on(piece.event)
            return
        if not self._head:
            self._begin(self.run.attempts[-1].model)
            yield self._chunk({"role": "assistant", "content": ""})
        yield self._chunk(_delta(piece))

    def ending(self, reply: Reply) -> Iterator[bytes]:
        if not self._head:
            self._begin(reply.model)
        if not self._tidy.has_finished:
            yield self._chunk({}, finish_reason=reply.finish_reason)
        if self._wants_usage and not self._has_told_usage:
            yield event({**self._head, "choices": [], "usage": chat_answer.usage(reply.usage)})
        yield DONE

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        return event(errors.openai(status, problem))

    def _passed_on(self, data: bytes) -> Iterator[bytes]:
        chunk = orjson.loads(data)
        told = chunk.pop("usage", None)
        self._head = self._head or {name: chunk.get(name) for name in _HEAD}
        if chunk.get("choices"):
            yield event({**self._tidy.chunk(chunk), **self._no_usage()})
        if told and self._wants_usage:
            self._has_told_usage = True
            yield event({**chunk, "choices": [], "usage": told})

    def _begin(self, model: str) -> None:
        self._head = chat_answer.head(self.run.task, "chat.completion.chunk", model)

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event({**self._head, "choices": [choice], **self._no_usage()})

    def _no_usage(self) -> dict[str, Any]:
        return {"usage": None} if self._wants_usage else {}


class Tidy:
    """Takes out of a provider's chunks what clients trip over, and leaves everything else.

    Clients add up the strings of all deltas, so that a role, a call's id or a function's name that comes twice
    becomes "assistantassistant"; and some look for keys that not every server sends.
    """

    def __init__(self) -> None:
        self._choices: set[int] = set()
        self._calls: set[tuple[int, int]] = set()
        self.has_finished = False

    def chunk(self, chunk: dict[str, Any]) -> dict[str, Any]:
        for choice in chunk["choices"]:
            self._choice(choice)
        return chunk

    def _choice(self, choice: dict[str, Any]) -> None:
        index = choice.setdefault("index", 0)
        if choice.setdefault("finish_reason", None):
            self.has_finished = True
        delta = choice.get("delta") or {}
        choice["delta"] = delta
        if index in self._choices:
            delta.pop("role", None)
        self._choices.add(index)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            self._tool_call(index, place, call)

    def _tool_call(self, choice: int, place: int, call: dict[str, Any]) -> None:
        if not isinstance(call.get("index"), int):
            call["index"] = place
        key = (choice, call["index"])
        if key in self._calls:
            call.pop("id", None)
            call.pop("type", None)
            (call.get("function") or {}).pop("name", None)
        self._calls.add(key)


def _delta(delta: Delta) -> dict[str, Any]:
    match delta:
        case TextDelta(text):
            return {"content": text}
        case ReasoningDelta(text):
            return {"reasoning_content": text}
        case ToolCallDelta(index, identity, name, arguments):
            call: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
            if identity:
                call = {"index": index, "id": identity, "type": "function"}
                call["function"] = {"name": name, "arguments": arguments}
            return {"tool_calls": [call]}
