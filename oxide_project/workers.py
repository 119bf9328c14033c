"""Several serving processes on one port: started, watched, restarted, stopped together."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from types import FrameType

logger = logging.getLogger(__name__)

RESTART_SECONDS = 1.0


def supervise(workers: int, host: str, port: int) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit status: 0 where every worker ended well.

    Each worker has a listening socket of its own on the same port (SO_REUSEPORT), so that the
    kernel shares new connections out among them.
    """
    stopping = threading.Event()
    processes = [_start(host, port) for _ in range(workers)]

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.set()
        for process in processes:
            process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopping.wait(RESTART_SECONDS):
        _restart_ended(processes, host, port)
    return max(process.wait() for process in processes)


def _start(host: str, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, sys.argv[0], "serve", "--host", host, "--port", str(port), "--worker"]
    # A session of its own: Ctrl-C reaches the supervisor alone, which then tells each worker once.
    return subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own command


def _restart_ended(processes: list[subprocess.Popen[bytes]], host: str, port: int) -> None:
    for place, process in enumerate(processes):
        status = process.poll()
        if status is not None:
            logger.error("Worker %d ended with status %d; starting another.", process.pid, status)
            processes[place] = _start(host, port)
