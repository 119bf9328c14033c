"""Between an answer as a whole and the same answer as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.adapters.base import (
    Delta,
    Finish,
    FinishReason,
    ImageDelta,
    ImagePart,
    ReasoningDelta,
    Reply,
    StreamEvent,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)


@dataclass(slots=True)
class _OpenCall:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembly:
    """Puts deltas together again."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _OpenCall] = {}
        self._images: list[ImagePart] = []

    def add(self, delta: Delta) -> None:
        match delta:
            case TextDelta(text):
                self._text.append(text)
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case ImageDelta(image):
                self._images.append(image)
            case ToolCallDelta(index, identity, name, arguments):
                call = self._calls.setdefault(index, _OpenCall())
                call.id = call.id or identity
                call.name = call.name or name
                call.arguments.append(arguments)

    @property
    def is_empty(self) -> bool:
        return not (self._text or self._reasoning or self._calls or self._images)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        calls = (self._calls[index] for index in sorted(self._calls))
        return tuple(ToolCall(call.id, call.name, "".join(call.arguments)) for call in calls)

    @property
    def written(self) -> str:
        """All that the model wrote, to be counted."""
        calls = "".join(call.name + call.arguments for call in self.tool_calls)
        return "".join(self._reasoning) + "".join(self._text) + calls

    def reply(self, *, model: str, finish_reason: FinishReason, usage: Usage) -> Reply:
        return Reply(
            model=model,
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            tool_calls=self.tool_calls,
            images=tuple(self._images),
            finish_reason=finish_reason,
            usage=usage,
        )


def events_of(reply: Reply) -> Iterator[StreamEvent]:
    """A whole answer as the stream it might have been."""
    if reply.reasoning:
        yield ReasoningDelta(reply.reasoning)
    if reply.text:
        yield TextDelta(reply.text)
    yield from map(ImageDelta, reply.images)
    for index, call in enumerate(reply.tool_calls):
        yield ToolCallDelta(index, call.id, call.name, call.arguments)
    yield Finish(reply.finish_reason, reply.usage, reply.model)
