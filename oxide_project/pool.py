"""The threads that requests are answered on."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from queue import SimpleQueue

logger = logging.getLogger(__name__)

Work = Callable[[], object]


class Pool:
    """At most `limit` threads, each made when all others are needed. The last to become free works next.

    Beside the executors of `concurrent.futures` it lacks futures: whoever gives work sees to its answer. To make one
    for each request, and to wake whoever waits for it, takes as long as a tenth of all that a request needs.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._workers: list[_Worker] = []
        # Adding to these, and taking from them, needs no lock.
        self._free: deque[_Worker] = deque()
        self._waiting: deque[Work] = deque()

    def begin(self, work: Work, needed: Callable[[], float] = lambda: inf) -> None:
        """Have it done by the next free thread. To be called from one thread alone.

        `needed` tells how many threads have work, this one's included. Where there are as many, one of them is about to
        be free, and no other is made.
        """
        try:
            worker = self._free.pop()
        except IndexError:
            if len(self._workers) < min(self._limit, needed()):
                self._workers.append(_Worker(f"{self._name}_{len(self._workers)}", self._free, self._waiting, work))
                return
            self._waiting.append(work)
            # One may have become free since.
            with suppress(IndexError):
                self._free.pop().give(None)
        else:
            worker.give(work)

    def stop(self) -> None:
        """Wait for the work in hand, and leave undone what nobody has begun with."""
        self._waiting.clear()
        for worker in self._workers:
            worker.is_leaving = True
            worker.give(None)
        for worker in self._workers:
            worker.join()


class _Worker(threading.Thread):
    def __init__(self, name: str, free: deque[_Worker], waiting: deque[Work], first: Work) -> None:
        super().__init__(name=name)
        self.is_leaving = False
        self._free = free
        self._waiting = waiting
        self._given: SimpleQueue[Work | None] = SimpleQueue()
        self.give(first)
        self.start()

    def give(self, work: Work | None) -> None:
        """None where there is nothing but to look for what waits."""
        self._given.put(work)

    def run(self) -> None:
        while True:
            work = self._given.get()
            work = work or self._next_waiting()
            while work:
                _do(work)
                del work  # it may hold a whole request
                work = self._next_waiting()
            if self.is_leaving:
                return
            self._free.append(self)
            if self._waiting:  # since we looked
                with suppress(ValueError):  # chosen already
                    self._free.remove(self)
                    self.give(None)

    def _next_waiting(self) -> Work | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


def _do(work: Work) -> None:
    try:
        work()
    except Exception:
        logger.exception("A thread's work broke off.")
