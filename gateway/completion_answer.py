"""What `POST /v1/completions` answers: https://platform.openai.com/docs/api-reference/completions/object"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import orjson

from gateway import chat_answer, errors
from gateway.chat_answer import CompletionUsage, Head
from gateway.chat_stream import DONE
from gateway.dialect_stream import DialectStream
from services.adapters.base import Feature, Reply, TextDelta, Verbatim
from services.adapters.openai_variants import for_clients
from tasks.event_stream import event
from tasks.models import Task
from tasks.pipeline import Run
from tasks.reading import Piece

_OBJECT = "text_completion"


class TextChoice(TypedDict):
    index: int
    text: str
    logprobs: Any
    finish_reason: str | None


class TextObject(Head):
    choices: list[TextChoice]


class TextCompletion(TextObject):
    """An answer that a service gives in the same form goes to the client as it came."""

    usage: CompletionUsage


def completion(run: Run, reply: Reply) -> bytes:
    """The provider's own answer, where it was asked in the same form, or one that we write."""
    if _is_native(run) and reply.native:
        return _cleared(reply.native)
    return orjson.dumps(_completion(run.task, reply))


def _completion(task: Task, reply: Reply) -> TextCompletion:
    return {**_object(task, reply.model, reply.text, reply.finish_reason), "usage": chat_answer.usage(reply.usage)}


class CompletionStream(DialectStream):
    """Chunks that we write or, from a service that was asked in the same form, pass on."""

    def __init__(self, run: Run, *, wants_usage: bool) -> None:
        super().__init__(run)
        self._wants_usage = wants_usage
        self._is_native = _is_native(run)
        self._head: Mapping[str, Any] = {}  # what each chunk begins with, the same for all; empty before the first
        self._figures: Mapping[str, Any] = {}  # the last usage as the provider tells it
        self._ended: set[int] = set()

    def pieces(self, piece: Piece) -> Iterator[bytes]:
        if self._is_native and isinstance(piece, Verbatim):
            yield from self._passed_on(piece.event)
            return
        for delta in piece.deltas if isinstance(piece, Verbatim) else (piece,):
            if isinstance(delta, TextDelta):
                yield event(_object(self.run.task, self.run.attempts[-1].model, delta.text))

    def ending(self, reply: Reply) -> Iterator[bytes]:
        end = {**_object(self.run.task, reply.model, "", reply.finish_reason), **self._head}
        if 0 not in self._ended:
            yield event(end)
        if self._wants_usage:
            yield event({**end, "choices": [], "usage": self._figures or chat_answer.usage(reply.usage)})
        yield DONE

    def complaint(self, status: int, problem: Mapping[str, Any]) -> bytes:
        return event(errors.openai(status, problem))

    def _passed_on(self, sent: bytes) -> Iterator[bytes]:
        chunk = orjson.loads(sent)
        self._figures = chunk.pop("usage", None) or self._figures
        if not chunk.get("choices"):
            return
        own = chat_answer.head(self.run.task, _OBJECT, self.run.attempts[-1].model)
        self._head = self._head or {name: chunk.get(name) or own[name] for name in ("id", "created", "model")}
        for choice in chunk["choices"]:
            _clear(choice)
            if choice["finish_reason"]:
                self._ended.add(choice["index"])
        yield event({**chunk, "object": _OBJECT, **self._head, **({"usage": None} if self._wants_usage else {})})


def _is_native(run: Run) -> bool:
    return Feature.COMPLETIONS in run.request.chat.needs


def _cleared(content: bytes) -> bytes:
    """The answer as it came, but for what clients trip over."""
    answer = orjson.loads(content)
    answer["object"] = _OBJECT
    for choice in answer["choices"]:
        _clear(choice)
        choice["finish_reason"] = choice["finish_reason"] or "stop"
    return orjson.dumps(answer)


def _clear(choice: dict[str, Any]) -> None:
    """Clients look for each of these keys, and know only OpenAI's own reasons to finish."""
    choice["index"] = choice.get("index") or 0
    choice["text"] = choice.get("text") or ""
    choice["logprobs"] = choice.get("logprobs")
    choice["finish_reason"] = for_clients(choice.get("finish_reason"))


def _object(task: Task, model: str, text: str, finish_reason: str | None = None) -> TextObject:
    choice = TextChoice(index=0, text=text, logprobs=None, finish_reason=finish_reason)
    return {**chat_answer.head(task, _OBJECT, model), "id": f"cmpl-{task.pk.hex}", "choices": [choice]}
