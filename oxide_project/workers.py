"""Several serving processes on one port: started, watched, restarted, stopped together.

A worker holds one end of a socket pair, its tether. On it the worker says that it listens. The
supervisor closes its end to have the worker drain; the kernel does the same when the supervisor is
killed, so that no worker is left behind. SIGTERM would not do: where a service manager sends it to
every process, a worker would get two, and the second one ends it at once.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.2
# A worker that ends sooner than this has failed to start.
STEADY_SECONDS = 10.0
MAX_FAILURES = 5
MAX_DELAY_SECONDS = 30.0


def supervise(command: Sequence[str], workers: int, announce: Callable[[], object]) -> int:
    """Keep so many processes of `command --worker FD` running until SIGTERM or SIGINT.

    Calls `announce` once, when all of them listen. A second signal stops without draining. Returns
    the exit status: 0 where every worker ended well.
    """
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: signals.append(number))
    crew = Crew(command, workers)
    announced = False
    while not signals and not crew.is_hopeless:
        crew.look_after()
        if not announced and crew.all_listen:
            announce()
            announced = True
        time.sleep(TICK_SECONDS)
    if crew.is_hopeless:
        logger.error("Giving up: workers ended %d times before they could serve. See above why.", crew.failures)
    ended_well = crew.stop(at_once=lambda: len(signals) > 1)
    return 0 if ended_well and not crew.is_hopeless else 1


class Tether:
    """The worker's end."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)

    def tell_listening(self) -> None:
        with suppress(OSError):  # the supervisor is gone: `follow` finds out
            self._socket.sendall(b"listening")

    def follow(self, is_draining: Callable[[], bool]) -> None:
        """Have this process drain as soon as the supervisor says so, or is no more."""
        threading.Thread(target=self._follow, args=(is_draining,), name="tether", daemon=True).start()

    def _follow(self, is_draining: Callable[[], bool]) -> None:
        with suppress(OSError):
            self._socket.recv(1)  # nothing is ever sent this way: it returns when the other end is closed
        if not is_draining():
            os.kill(os.getpid(), signal.SIGTERM)


class Worker:
    """The supervisor's view of one process."""

    def __init__(self, command: Sequence[str]) -> None:
        self._tether, theirs = socket.socketpair()
        self._tether.setblocking(False)
        self._started = time.monotonic()
        self.listens = False
        with theirs:
            # A session of its own: Ctrl-C reaches the supervisor alone.
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, "--worker", str(theirs.fileno())], pass_fds=[theirs.fileno()], start_new_session=True
            )

    @property
    def is_steady(self) -> bool:
        return self.listens and time.monotonic() - self._started >= STEADY_SECONDS

    def has_ended(self) -> bool:
        """Also takes in what the worker has said meanwhile."""
        with suppress(OSError):
            self.listens = self.listens or bool(self._tether.recv(64))
        if self.process.poll() is None:
            return False
        self._tether.close()
        return True

    def drain(self) -> None:
        self._tether.close()
        if not self.listens:
            self.process.terminate()  # it has nothing to drain, and is too busy starting to look at its tether


class Crew:
    """As many workers as are wanted, and how often in a row they failed to start."""

    def __init__(self, command: Sequence[str], size: int) -> None:
        self._command = command
        self._size = size
        self._workers: list[Worker] = []
        self._next_start = 0.0
        self.failures = 0
        self._fill_up()

    @property
    def all_listen(self) -> bool:
        return len(self._workers) == self._size and all(worker.listens for worker in self._workers)

    @property
    def is_hopeless(self) -> bool:
        """While one serves it is worth trying to give it company."""
        return self.failures >= MAX_FAILURES and not any(worker.listens for worker in self._workers)

    def look_after(self) -> None:
        """Replace who has ended: at once, or after a growing delay where they end as they start."""
        for worker in [worker for worker in self._workers if worker.has_ended()]:
            self._note_end(worker)
        if len(self._workers) == self._size and all(worker.is_steady for worker in self._workers):
            self.failures = 0
        if time.monotonic() >= self._next_start and not self.is_hopeless:
            self._fill_up()

    def stop(self, at_once: Callable[[], bool]) -> bool:
        """Have all drain, and wait for them; as soon as `at_once` says so, without draining. True if all ended well."""
        for worker in self._workers:
            worker.drain()
        while any(worker.process.poll() is None for worker in self._workers) and not at_once():
            time.sleep(TICK_SECONDS)
        for worker in self._workers:
            worker.process.terminate()  # the second request to stop, where one is still draining
        statuses = [worker.process.wait() for worker in self._workers]
        # One that was told before it had begun to listen for signals ends by them.
        return all(status in (0, -signal.SIGTERM) for status in statuses)

    def _fill_up(self) -> None:
        while len(self._workers) < self._size:
            self._workers.append(Worker(self._command))

    def _note_end(self, worker: Worker) -> None:
        self._workers.remove(worker)
        delay = 0.0
        if not worker.is_steady:
            self.failures += 1
            delay = min(MAX_DELAY_SECONDS, 2.0 ** (self.failures - 1))
            self._next_start = time.monotonic() + delay
        status = worker.process.returncode
        logger.error("Worker %d ended with status %d; another starts in %g s.", worker.process.pid, status, delay)
