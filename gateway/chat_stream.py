"""`POST /v1/chat/completions` as a stream: https://platform.openai.com/docs/api-reference/chat/streaming"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from gateway import chat_answer, errors
from gateway.dialect_stream import DialectStream
from services.adapters.base import Delta, ReasoningDelta, Reply, TextDelta, ToolCallDelta, Verbatim
from services.adapters.openai_variants import CallPieces, arguments_text, for_clients, introduce
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
        self._figures: Mapping[str, Any] = {}  # the last chunk with figures, as the provider tells them
        self._head: Mapping[str, Any] = {}  # what each chunk begins with; empty before the first

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        if isinstance(piece, Verbatim):
            yield from self._passed_on(piece)
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
        if self._wants_usage:
            own = {**self._head, "usage": chat_answer.usage(reply.usage)}
            yield event({**(self._figures or own), "choices": []})
        yield DONE

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        return event(errors.openai(status, problem))

    def _passed_on(self, piece: Verbatim) -> Iterator[bytes]:
        chunk = orjson.loads(piece.event)
        if chunk.get("usage"):  # some servers tell them in every chunk, each time all so far
            self._figures = dict(chunk)
        chunk.pop("usage", None)
        if chunk.get("choices"):  # what Azure sends before has no name yet
            self._head = self._head or {name: chunk.get(name) for name in _HEAD}
            yield event({**self._tidy.chunk(chunk, piece.deltas), **self._no_usage()})

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
        self._others: defaultdict[int, CallPieces] = defaultdict(CallPieces)
        self.has_finished = False

    def chunk(self, chunk: dict[str, Any], deltas: Iterable[Delta] = ()) -> dict[str, Any]:
        """`deltas` are what the chunk says of the first choice: its calls are numbered and named as in the history."""
        known = (delta for delta in deltas if isinstance(delta, ToolCallDelta))
        for choice in chunk["choices"]:
            self._choice(choice, known)
        return chunk

    def _choice(self, choice: dict[str, Any], known: Iterator[ToolCallDelta]) -> None:
        index = choice["index"] = choice.get("index") or 0
        choice["finish_reason"] = for_clients(choice.get("finish_reason"))
        if choice["finish_reason"]:
            self.has_finished = True
        delta = choice["delta"] = choice.get("delta") or {}
        if index in self._choices:
            delta.pop("role", None)
        self._choices.add(index)
        for call in delta.get("tool_calls") or ():
            _number(call, self._piece(index, call) if index else next(known))

    def _piece(self, choice: int, call: Mapping[str, Any]) -> ToolCallDelta:
        called = _called(call)
        return self._others[choice].piece(call.get("index"), call.get("id") or "", called.get("name") or "", "")


def _called(call: Mapping[str, Any]) -> dict[str, Any]:
    return call.get("function") or call.get("custom") or {}


def _number(call: dict[str, Any], piece: ToolCallDelta) -> None:
    call["index"] = piece.index
    called = _called(call)
    if piece.id:
        introduce(call, piece.id)
    else:
        call.pop("id", None)
        call.pop("type", None)
        called.pop("name", None)
    if "arguments" in called:
        called["arguments"] = arguments_text(called["arguments"])


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
