"""Tool calls one after the other, for dialects in which one thing is written at a time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from services.adapters.base import Delta, ToolCallDelta


class InTurn:
    """Lets pieces through as they come, but while a call has begun and is not whole, holds back what is not part of it.

    Providers of OpenAI's protocol number the pieces of their calls, and so may write several at once.
    """

    def __init__(self) -> None:
        self._open: int | None = None  # the number of a call
        self._arguments = ""
        self._held: list[Delta] = []

    def take(self, delta: Delta) -> Iterator[Delta]:
        """What may be told now."""
        if isinstance(delta, ToolCallDelta) and not (delta.id or delta.arguments):
            return  # some servers end each call so, by when its block may be closed: it would begin one without a name
        call = delta.index if isinstance(delta, ToolCallDelta) else None
        if call != self._open:
            if self._open is not None and not self._is_whole:
                self._held.append(delta)
                return
            self._open, self._arguments = call, ""
        if isinstance(delta, ToolCallDelta):
            self._arguments += delta.arguments
        yield delta
        if self._held and self._is_whole:
            yield from self._retake()

    def rest(self) -> Iterator[Delta]:
        """What is left at the end of the answer: no call gets any longer."""
        while self._held:
            self._open = None
            yield from self._retake()

    def _retake(self) -> Iterator[Delta]:
        held, self._held = self._held, []
        for delta in held:
            yield from self.take(delta)

    @property
    def _is_whole(self) -> bool:
        try:
            msgspec.json.decode(self._arguments, type=dict)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True
