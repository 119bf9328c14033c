"""A task's answer as it comes: its events, and how they are read."""

from __future__ import annotations

import json
from typing import Any, Literal, TypedDict, cast

from oxide_client.answers import TaskAnswer, Usage
from oxide_client.errors import ConnectionLostError, UnexpectedAnswerError
from oxide_client.sse import Decoder


class TaskEvent(TypedDict):
    """The first. Service and model are None where nobody has answered within ten seconds."""

    type: Literal["task"]
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


class DeltaEvent(TypedDict, total=False):
    """A piece of the answer: one of `text`, `reasoning`, `tool_call` and `image`.

    `image` is the address of one that the model drew, mostly `data:...;base64,...`.
    """

    type: Literal["delta"]
    text: str
    reasoning: str
    tool_call: ToolCallPiece
    image: str


class UsageEvent(TypedDict):
    """Over all attempts."""

    type: Literal["usage"]
    usage: Usage
    cost: float | None
    cost_basis: str


class DoneEvent(TaskAnswer):
    """The last of a task that was answered, or called off: what `execute_task` would have answered."""

    type: Literal["done"]


class ErrorEvent(TypedDict, total=False):
    """The last of a task that failed after its first word. `error_of(event)` makes an exception of it."""

    type: Literal["error"]
    error: str
    detail: str
    code: str
    task_id: str
    status: str
    attempts: list[dict[str, Any]]


StreamEvent = TaskEvent | DeltaEvent | UsageEvent | DoneEvent | ErrorEvent

_NAMES = frozenset({"task", "delta", "usage", "done", "error"})
_LAST = frozenset({"done", "error"})


class Reader:
    """Makes events of bytes. `task_id` is there after the first, `is_over` after the last."""

    def __init__(self) -> None:
        self.task_id: str | None = None
        self.is_over = False
        self._decoder = Decoder()

    def feed(self, content: bytes) -> list[StreamEvent]:
        """The events that are complete now; "" bytes are the end of the connection.

        Raises `ConnectionLostError` where that comes before the last event.
        """
        if not content:
            raise ConnectionLostError(
                f"The connection broke in the middle of the answer.{self.advice}", task_id=self.task_id
            )
        # Names that a later Oxide may add are passed over.
        return [self._event(name, data) for name, data in self._decoder.feed(content) if name in _NAMES]

    @property
    def advice(self) -> str:
        return f" Look at task {self.task_id} in the history." if self.task_id else " Look at the history."

    def _event(self, name: str, data: str) -> StreamEvent:
        try:
            event = {**json.loads(data), "type": name}
        except (ValueError, TypeError):
            raise UnexpectedAnswerError(
                f"The event {name} holds no JSON object. Check the proxies before Oxide.", task_id=self.task_id
            ) from None
        self.task_id = event.get("task_id", self.task_id)
        self.is_over = self.is_over or name in _LAST
        return cast("StreamEvent", event)
