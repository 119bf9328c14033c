"""`POST /v1/messages` as a stream: https://platform.claude.com/docs/en/build-with-claude/streaming"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from gateway import errors, messages_answer
from gateway.dialect_stream import DialectStream
from gateway.in_turn import InTurn
from gateway.messages_body import OUR_SIGNATURE
from services.adapters.base import Delta, ImageDelta, ReasoningDelta, Reply, TextDelta, ToolCallDelta, Verbatim
from services.adapters.estimate import estimate
from services.adapters.wire import arguments_object
from tasks.event_stream import encoded, event
from tasks.pipeline import Run
from tasks.reading import Piece


class _Kind(msgspec.Struct):
    type: str


_KIND = msgspec.json.Decoder(_Kind)


class MessageStream(DialectStream):
    """Events that we write or, from an Anthropic service, pass on. Clients know them by the name beside the data."""

    HEARTBEAT = event({"type": "ping"}, "ping")

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._is_passed_on = False
        self._last = ""  # the kind of the last event that was passed on
        self._has_begun = False
        self._in_turn = InTurn()
        self._index = -1
        self._block: tuple[str, int] | None = None  # what is open: its kind and, of tool calls, which one

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        if isinstance(piece, Verbatim):
            self._is_passed_on = True
            self._last = _KIND.decode(piece.event).type
            calls = [delta for delta in piece.deltas if isinstance(delta, ToolCallDelta)]
            if calls and self._last == "content_block_stop":
                yield from _late_input(piece.event, calls[0].arguments)
            begins_call = calls and self._last == "content_block_start"
            yield encoded(_tidied(piece.event, calls[0].id) if begins_call else piece.event, self._last)
        else:
            yield from self._begin(self.run.attempts[-1].model)
            yield from self._deltas(self._in_turn.take(piece))

    def ending(self, reply: Reply) -> Iterator[bytes]:
        if not self._is_passed_on:
            yield from self._begin(reply.model)
            yield from self._deltas(self._in_turn.rest())
            yield from self._end_block()
            end = {"stop_reason": messages_answer.stop_reason(reply.finish_reason), "stop_sequence": None}
            yield _told("message_delta", delta=end, usage=messages_answer.usage(reply.usage))
        if self._last != "message_stop":
            yield _told("message_stop")

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        return event(errors.anthropic(status, problem), "error")

    def _begin(self, model: str) -> Iterator[bytes]:
        """Only now: until the first piece another service may still answer."""
        if not self._has_begun:
            self._has_begun = True
            spent = estimate(self.run.request.chat, "")  # the true figures come at the end
            yield _told("message_start", message=messages_answer.begun(self.run.task, model, spent))

    def _deltas(self, deltas: Iterable[Delta]) -> Iterator[bytes]:
        for delta in deltas:
            yield from self._piece(delta)

    def _piece(self, delta: Delta) -> Iterator[bytes]:
        match delta:
            case TextDelta(text):
                yield from self._open("text", 0, {"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": text})
            case ReasoningDelta(text):
                yield from self._open("thinking", 0, {"type": "thinking", "thinking": "", "signature": ""})
                yield self._delta({"type": "thinking_delta", "thinking": text})
            case ImageDelta(image):
                yield from self._end_block()
                yield from self._open("image", self._index + 1, messages_answer.image(image))
            case ToolCallDelta(index, identity, name, arguments):
                yield from self._open(
                    "tool_use", index, {"type": "tool_use", "id": identity, "name": name, "input": {}}
                )
                if arguments:
                    yield self._delta({"type": "input_json_delta", "partial_json": arguments})

    def _open(self, kind: str, which: int, block: dict[str, Any]) -> Iterator[bytes]:
        if self._block == (kind, which):
            return
        yield from self._end_block()
        self._block = (kind, which)
        self._index += 1
        yield _told("content_block_start", index=self._index, content_block=block)

    def _end_block(self) -> Iterator[bytes]:
        if self._block is None:
            return
        if self._block[0] == "thinking":
            yield self._delta({"type": "signature_delta", "signature": OUR_SIGNATURE})
        self._block = None
        yield _told("content_block_stop", index=self._index)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _told("content_block_delta", index=self._index, delta=delta)


def _tidied(event: bytes, identity: str) -> bytes:
    """The beginning of a call with what clients need: an id, and an empty object as its input."""
    news = msgspec.json.decode(event)
    block = news["content_block"]
    if block.get("id") and block.get("input") == {}:
        return event
    return msgspec.json.encode({**news, "content_block": {**block, "id": identity, "input": {}}})


def _late_input(stop: bytes, arguments: str) -> Iterator[bytes]:
    """The input that a server sent with the beginning of a call, as the delta in which clients look for it."""
    if arguments and (whole := arguments_object(arguments)):
        index = msgspec.json.decode(stop).get("index") or 0
        delta = {"type": "input_json_delta", "partial_json": msgspec.json.encode(whole).decode()}
        yield _told("content_block_delta", index=index, delta=delta)


def _told(kind: str, **more: Any) -> bytes:
    return event({"type": kind, **more}, kind)
