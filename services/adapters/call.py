"""How long a provider call may take, and how it is called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class CancelToken:
    """Set once, from any thread, to end whatever is done on somebody's behalf.

    Callbacks run in the thread that cancels, so that a thread waiting on a socket or a child
    process can be woken by closing what it waits on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        with self._lock:
            if not self._cancelled:
                self._cancelled = True
                for callback in self._callbacks:
                    callback()

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until cancel. Returns whether it was cancelled."""
        woken = threading.Event()
        with self.calling(woken.set):
            return woken.wait(seconds)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` run on cancel while the block lasts; at once if it is too late already.

        The lock is held while callbacks run: once the block has been left none of them runs any
        more, so a callback never touches a connection that somebody else uses by then.
        """
        with self._lock:
            self._callbacks.append(callback)
            if self._cancelled:
                callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


@dataclass(frozen=True, slots=True)
class Call:
    """The limits of one call: `deadline` on the monotonic clock, in seconds, and a cancel token.

    An adapter adds to `dropped` the names of the request's fields that it does not send.
    """

    deadline: float
    cancel: CancelToken = field(default_factory=CancelToken)
    dropped: list[str] = field(default_factory=list)

    @classmethod
    def within(cls, seconds: float, cancel: CancelToken | None = None) -> Call:
        return cls(time.monotonic() + seconds, cancel or CancelToken())

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def shortened(self, seconds: float) -> Call:
        """The same call with at most `seconds` left."""
        return Call(min(self.deadline, time.monotonic() + seconds), self.cancel)
