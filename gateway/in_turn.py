"""Tool calls one after the other, for dialects in which one thing is written at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from services.adapters.base import Delta, ToolCallDelta

# The number of a call, or None for what is no part of one.
Part = int | None


class InTurn:
    """Lets pieces through as they come, but while a call has begun and is not whole, holds back what is not part of it.

    Providers of OpenAI's protocol number the pieces of their calls, and so may write several at once.
    """

    def __init__(self) -> None:
        self._open: Part = None
        self._arguments = ""
        # What is held back, by what it is part of; what began first is told first.
        self._held: OrderedDict[Part, list[Delta]] = OrderedDict()

    def take(self, delta: Delta) -> Iterator[Delta]:
        """What may be told now."""
        if isinstance(delta, ToolCallDelta) and not (delta.id or delta.arguments):
            return  # some servers end each call so, by when its block may be closed: it would begin one without a name
        part = delta.index if isinstance(delta, ToolCallDelta) else None
        if part != self._open and not self._is_whole:
            self._held.setdefault(part, []).append(delta)
            return
        yield self._told(part, delta)
        while self._held and self._is_whole:
            yield from self._next()

    def rest(self) -> Iterator[Delta]:
        """What is left at the end of the answer: no call gets any longer."""
        while self._held:
            yield from self._next()

    def _next(self) -> Iterator[Delta]:
        part, deltas = self._held.popitem(last=False)
        for delta in deltas:
            yield self._told(part, delta)

    def _told(self, part: Part, delta: Delta) -> Delta:
        if part != self._open:
            self._open, self._arguments = part, ""
        if isinstance(delta, ToolCallDelta):
            self._arguments += delta.arguments
        return delta

    @property
    def _is_whole(self) -> bool:
        if self._open is None:
            return True
        if not self._arguments[-1:].isspace() and not self._arguments.endswith("}"):
            return False  # as after most pieces: long arguments need not be read for each
        try:
            msgspec.json.decode(self._arguments, type=dict)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True
