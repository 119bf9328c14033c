"""`POST /v1/responses` as a stream: https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway import errors, responses_answer
from gateway.dialect_stream import DialectStream
from gateway.in_turn import InTurn
from gateway.responses_answer import Item, ResponseShown
from gateway.responses_settings import ResponseSettings
from services.adapters.base import (
    Delta,
    ImageDelta,
    ReasoningDelta,
    Reply,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Verbatim,
)
from tasks.event_stream import event
from tasks.pipeline import Run
from tasks.reading import Piece

# What a response may fail with, besides "server_error".
_CODES = frozenset({"context_length_exceeded", "rate_limit_exceeded", "insufficient_quota"})


@dataclass(slots=True)
class _Open:
    """The output item that is being written. `which` tells tool calls apart."""

    kind: str
    which: int
    index: int
    item: Item
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.said)

    @property
    def place(self) -> dict[str, Any]:
        """Where a piece of it belongs."""
        place = {"item_id": self.item["id"], "output_index": self.index}
        return place if self.kind == "function_call" else place | {"content_index": 0}

    @property
    def summary_place(self) -> dict[str, Any]:
        return {"item_id": self.item["id"], "output_index": self.index, "summary_index": 0}


class ResponseStream(DialectStream):
    """One output item after the other, each opened, filled and closed; in the end the whole response again."""

    def __init__(self, run: Run, settings: ResponseSettings) -> None:
        super().__init__(run)
        self._settings = settings
        self._number = 0
        self._response: ResponseShown | None = None
        self._in_turn = InTurn()
        self._open: _Open | None = None
        self._output: list[Item] = []

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        yield from self._begin(self.run.attempts[-1].model)
        for delta in piece.deltas if isinstance(piece, Verbatim) else (piece,):
            yield from self._deltas(self._in_turn.take(delta))

    def ending(self, reply: Reply) -> Iterator[bytes]:
        yield from self._begin(reply.model)
        yield from self._deltas(self._in_turn.rest())
        if not self._open and not self._output:
            yield from self._write("message", 0)
        yield from self._close(responses_answer.last_status(reply))
        response = responses_answer.ended(self.run.task, self._begun, self._output, reply)
        yield self._told(f"response.{response['status']}", response=response)

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        error = errors.openai(status, problem)["error"]
        if self._response is None:
            # OpenAI has the fields in the event itself, Open Responses in an object of it.
            fields = {"code": error["code"], "message": error["message"], "param": error["param"]}
            return self._told("error", **fields, error=error)
        failed = {"code": error["code"] if error["code"] in _CODES else "server_error", "message": error["message"]}
        response = {**self._response, "status": "failed", "error": failed, "output": self._output}
        return self._told("response.failed", response=response)

    @property
    def _begun(self) -> ResponseShown:
        if self._response is None:
            raise RuntimeError("The response has not begun.")
        return self._response

    def _begin(self, model: str) -> Iterator[bytes]:
        """Only now: until the first piece another service may still answer."""
        if self._response is None:
            self._response = responses_answer.begun(self.run.task, self._settings, model)
            yield self._told("response.created", response=self._response)
            yield self._told("response.in_progress", response=self._response)

    def _deltas(self, deltas: Iterable[Delta]) -> Iterator[bytes]:
        for delta in deltas:
            yield from self._delta(delta)

    def _delta(self, delta: Delta) -> Iterator[bytes]:
        match delta:
            case TextDelta(text):
                yield from self._write("message", 0)
                yield self._piece("response.output_text.delta", text, logprobs=[])
            case ReasoningDelta(text):
                yield from self._write("reasoning", 0)
                yield self._piece("response.reasoning_text.delta", text)
                yield self._told("response.reasoning_summary_text.delta", **self._written.summary_place, delta=text)
            case ImageDelta(image):
                yield from self._close()
                item = responses_answer.image(self.run.task, len(self._output), image)
                yield self._told("response.output_item.added", output_index=len(self._output), item=item)
                yield self._told("response.output_item.done", output_index=len(self._output), item=item)
                self._output.append(item)
            case ToolCallDelta(index, identity, name, arguments):
                yield from self._write("function_call", index, ToolCall(identity, name, ""))
                if arguments:
                    yield self._piece("response.function_call_arguments.delta", arguments)

    def _piece(self, kind: str, text: str, **more: Any) -> bytes:
        written = self._written
        written.said.append(text)
        return self._told(kind, **written.place, delta=text, **more)

    @property
    def _written(self) -> _Open:
        if self._open is None:
            raise RuntimeError("No item is open.")
        return self._open

    def _write(self, kind: str, which: int, call: ToolCall | None = None) -> Iterator[bytes]:
        """Open the item that what comes next belongs to, unless it is open."""
        if self._open and (self._open.kind, self._open.which) == (kind, which):
            return
        yield from self._close()
        index, task = len(self._output), self.run.task
        if call:
            item = responses_answer.function_call(task, index, call, "in_progress")
        else:
            make = responses_answer.message if kind == "message" else responses_answer.thoughts
            item = make(task, index, "", "in_progress")
        self._open = _Open(kind, which, index, item)
        yield self._told("response.output_item.added", output_index=index, item=item)
        if kind == "message":
            part = responses_answer.text_part("")
            yield self._told("response.content_part.added", **self._open.place, part=part)
        if kind == "reasoning":
            part = responses_answer.summary_part("")
            yield self._told("response.reasoning_summary_part.added", **self._open.summary_place, part=part)

    def _close(self, status: str = "completed") -> Iterator[bytes]:
        written, self._open = self._open, None
        if written is None:
            return
        text, place, task = written.text, written.place, self.run.task
        match written.kind:
            case "message":
                item = responses_answer.message(task, written.index, text, status)
                yield self._told("response.output_text.done", **place, text=text, logprobs=[])
                yield self._told("response.content_part.done", **place, part=responses_answer.text_part(text))
            case "reasoning":
                item = responses_answer.thoughts(task, written.index, text, status)
                yield self._told("response.reasoning_text.done", **place, text=text)
                yield from self._close_summary(written)
            case _:
                item = {**written.item, "arguments": text, "status": status}
                name = item["name"]
                yield self._told("response.function_call_arguments.done", **place, arguments=text, name=name)
        self._output.append(item)
        yield self._told("response.output_item.done", output_index=written.index, item=item)

    def _close_summary(self, written: _Open) -> Iterator[bytes]:
        place, text = written.summary_place, written.text
        yield self._told("response.reasoning_summary_text.done", **place, text=text)
        part = responses_answer.summary_part(text)
        yield self._told("response.reasoning_summary_part.done", **place, part=part)

    def _told(self, kind: str, **more: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return event({"type": kind, "sequence_number": number, **more}, kind)
