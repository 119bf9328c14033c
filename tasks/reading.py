"""Reads the stream of one attempt: tells what the model says, and puts it together again."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from services.adapters.assembly import Assembly
from services.adapters.base import Delta, ErrorKind, Finish, ProviderError, Reply, StreamEvent, TextDelta, Verbatim
from tasks import signals
from tasks.models import Task

Piece = Delta | Verbatim
"""A part of an answer: in our own terms or, where the provider was asked in its own protocol, as it came."""


def read(task: Task, events: Iterable[StreamEvent]) -> Generator[Piece, None, Reply]:
    """Yield the pieces of an answer, and return the whole.

    Events of a provider that say nothing yet (its greeting) are held back until it does: up to then
    another service can still take over.
    """
    signals.answer_begins.send_robust(Task, task=task)
    said = Assembly()
    held: list[Piece] = []
    for event in events:
        if isinstance(event, Finish):
            yield from held
            return said.reply(model=event.model, finish_reason=event.reason, usage=event.usage)
        deltas = event.deltas if isinstance(event, Verbatim) else (event,)
        held.append(event)
        if deltas:
            _tell(task, said, deltas)
        if not said.is_empty:
            yield from held
            held.clear()
    raise ProviderError(ErrorKind.MALFORMED, "The stream ended without saying how.")


def _tell(task: Task, said: Assembly, deltas: Iterable[Delta]) -> None:
    for delta in deltas:
        said.add(delta)
        if isinstance(delta, TextDelta):
            signals.task_said.send_robust(Task, task=task, text=delta.text)
