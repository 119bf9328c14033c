"""`POST /api/tasks/execute/` with `"stream": true`: the events `task`, `delta`, `usage`, `done` and `error`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict

from services.adapters.base import Delta, ImageDelta, ReasoningDelta, TextDelta, ToolCallDelta, Verbatim
from tasks import presentation
from tasks.event_stream import EventStream, event
from tasks.reading import Piece


class TaskBegun(TypedDict):
    """`event: task`, the first. Service and model are null where nobody has answered within ten seconds."""

    task_id: str
    status: Literal["running"]
    task_type: str
    service: str | None
    model: str | None


class ToolCallPiece(TypedDict):
    """`id` and `name` come with the first piece of a call, `arguments` in fragments of a JSON text."""

    index: int
    id: str
    name: str
    arguments: str


class DeltaShown(TypedDict, total=False):
    """`event: delta`: one of these. `image` is the address of one that the model drew, mostly `data:…;base64,…`."""

    text: str
    reasoning: str
    tool_call: ToolCallPiece
    image: str


class Spent(TypedDict):
    """`event: usage`, over all attempts."""

    usage: presentation.Usage
    cost: float | None
    cost_basis: str


class TaskStream(EventStream):
    def opening(self) -> bytes:
        run, answering = self.run, self.run.answering
        begun = TaskBegun(
            task_id=str(run.task.pk),
            status="running",
            task_type=run.task.task_type,
            service=answering.service if answering else None,
            model=answering.model if answering else None,
        )
        return event(begun, "task")

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        for delta in piece.deltas if isinstance(piece, Verbatim) else (piece,):
            yield event(_delta(delta), "delta")

    def closing(self) -> Iterator[bytes]:
        answer = presentation.answer(self.run.task)
        yield event(Spent(usage=answer["usage"], cost=answer["cost"], cost_basis=answer["cost_basis"]), "usage")
        yield event(answer, "done")

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:  # noqa: ARG002 - its code says as much
        return event(problem, "error")


def _delta(delta: Delta) -> DeltaShown:
    match delta:
        case TextDelta(text):
            return {"text": text}
        case ReasoningDelta(text):
            return {"reasoning": text}
        case ImageDelta(image):
            return {"image": image.address}
        case ToolCallDelta(index, identity, name, arguments):
            return {"tool_call": {"index": index, "id": identity, "name": name, "arguments": arguments}}
