"""What `POST /v1/completions` answers: https://platform.openai.com/docs/api-reference/completions/object"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from gateway import chat_answer, errors
from gateway.chat_answer import CompletionUsage, Head
from gateway.chat_stream import DONE
from gateway.dialect_stream import DialectStream
from services.adapters.base import Reply, TextDelta, Verbatim
from tasks.event_stream import event
from tasks.models import Task
from tasks.pipeline import Run
from tasks.reading import Piece


class TextChoice(TypedDict):
    index: int
    text: str
    logprobs: None
    finish_reason: str | None


class TextObject(Head):
    choices: list[TextChoice]


class TextCompletion(TextObject):
    usage: CompletionUsage


def completion(task: Task, reply: Reply) -> TextCompletion:
    return {**_object(task, reply.model, reply.text, reply.finish_reason), "usage": chat_answer.usage(reply.usage)}


class CompletionStream(DialectStream):
    def __init__(self, run: Run, *, wants_usage: bool) -> None:
        super().__init__(run)
        self._wants_usage = wants_usage

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        for delta in piece.deltas if isinstance(piece, Verbatim) else (piece,):
            if isinstance(delta, TextDelta):
                yield event(_object(self.run.task, self.run.attempts[-1].model, delta.text))

    def ending(self, reply: Reply) -> Iterator[bytes]:
        end = _object(self.run.task, reply.model, "", reply.finish_reason)
        yield event(end)
        if self._wants_usage:
            yield event({**end, "choices": [], "usage": chat_answer.usage(reply.usage)})
        yield DONE

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        return event(errors.openai(status, problem))


def _object(task: Task, model: str, text: str, finish_reason: str | None = None) -> TextObject:
    choice = TextChoice(index=0, text=text, logprobs=None, finish_reason=finish_reason)
    return {**chat_answer.head(task, "text_completion", model), "id": f"cmpl-{task.pk.hex}", "choices": [choice]}
