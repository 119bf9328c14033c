"""`POST /v1/chat/completions` as a stream: https://platform.openai.com/docs/api-reference/chat/streaming"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from gateway import chat_answer, errors
from gateway.dialect_stream import DialectStream
from services.adapters.base import Delta, ImageDelta, ReasoningDelta, Reply, TextDelta, ToolCallDelta, Verbatim
from services.adapters.openai_variants import CallPieces, for_clients, introduce
from tasks.event_stream import encoded, event
from tasks.pipeline import Run
from tasks.reading import Piece

DONE = encoded(b"[DONE]")


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
        self._head: Mapping[str, Any] = {}  # what each chunk begins with, the same for all; empty before the first

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
            figures = self._figures or {"usage": chat_answer.usage(reply.usage)}
            yield event({**figures, **self._head, "choices": []})
        yield DONE

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        return event(errors.openai(status, problem))

    def _passed_on(self, piece: Verbatim) -> Iterator[bytes]:
        chunk = orjson.loads(piece.event)
        if chunk.get("usage"):  # some servers tell them in every chunk, each time all so far
            self._figures = dict(chunk)
        chunk.pop("usage", None)
        if chunk.get("choices"):  # what Azure sends before has no name yet
            if not self._head:
                self._begin(self.run.attempts[-1].model)
                self._head = {name: chunk.get(name) or own for name, own in self._head.items()}
            yield event({**self._tidy.chunk(chunk, piece.deltas), **self._head, **self._no_usage()})

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
        self._calls: defaultdict[int, CallPieces] = defaultdict(CallPieces)
        self.has_finished = False

    def chunk(self, chunk: dict[str, Any], deltas: Iterable[Delta] = ()) -> dict[str, Any]:
        """`deltas` are what the chunk says of the first choice: its calls get the ids that the history has."""
        ids = (delta.id for delta in deltas if isinstance(delta, ToolCallDelta) and delta.id)
        for choice in chunk["choices"]:
            self._choice(choice, ids)
        return chunk

    def _choice(self, choice: dict[str, Any], ids: Iterator[str]) -> None:
        index = choice["index"] = choice.get("index") or 0
        choice["finish_reason"] = for_clients(choice.get("finish_reason"))
        if choice["finish_reason"]:
            self.has_finished = True
        delta = choice["delta"] = choice.get("delta") or {}
        if index in self._choices:
            delta.pop("role", None)
        self._choices.add(index)
        pieces = self._calls[index]
        calls = [call for call in delta.pop("tool_calls", None) or () if _tell(call, pieces, () if index else ids)]
        if choice["finish_reason"]:
            calls += [{"index": each.index, "function": {"arguments": each.arguments}} for each in pieces.silent()]
        if calls:
            delta["tool_calls"] = calls


def _tell(call: dict[str, Any], pieces: CallPieces, ids: Iterable[str]) -> bool:
    """Write a piece of a call as clients need it. False where it has to wait for the call's name."""
    is_text = bool(call.get("custom"))
    called, written = (call["custom"], "input") if is_text else (call.get("function") or {}, "arguments")
    name, said = called.get("name") or "", called.get(written)
    piece = pieces.piece(call.get("index"), call.get("id") or "", name, said, is_text=is_text)
    if piece is None:
        return False
    call["index"] = piece.index
    if piece.id:
        introduce(call, next(iter(ids), piece.id))
    else:
        call.pop("id", None)
        call.pop("type", None)
        called.pop("name", None)
    if piece.id or written in called:
        called[written] = piece.arguments
    return True


def _delta(delta: Delta) -> dict[str, Any]:
    match delta:
        case TextDelta(text):
            return {"content": text}
        case ReasoningDelta(text):
            return {"reasoning_content": text}
        case ImageDelta(image):
            return {"images": [chat_answer.image(0, image)]}
        case ToolCallDelta(index, identity, name, arguments):
            call: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
            if identity:
                call = {"index": index, "id": identity, "type": "function"}
                call["function"] = {"name": name, "arguments": arguments}
            return {"tool_calls": [call]}
