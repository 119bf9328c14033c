"""The supervisor, with small programs in the place of real workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live import ROOT
from tests.waiting import wait_until

SUPERVISOR = """
import logging, sys
from oxide_project.workers import supervise
logging.basicConfig()
sys.exit(supervise([sys.executable, sys.argv[1]], 2, lambda: print("all listen", flush=True)))
"""
# What every worker begins with: its end of the tether, and a file that tells it was there.
WORKER = """
import os, signal, sys, time
from pathlib import Path
from oxide_project.workers import Tether
tether = Tether(int(sys.argv[sys.argv.index("--worker") + 1]))
Path("started", str(os.getpid())).touch()
def drain(*_):
    Path("drained", str(os.getpid())).touch()
    sys.exit(0)
"""
SERVES = """
signal.signal(signal.SIGTERM, drain)
tether.tell_listening()
tether.follow(lambda: False)
time.sleep(600)
"""


class Supervisor:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output.log"
        self.process: subprocess.Popen[bytes] | None = None
        for name in ("started", "drained"):
            (folder / name).mkdir()

    def start(self, worker: str) -> None:
        (self.folder / "worker.py").write_text(WORKER + worker)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, "worker.py"],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            )

    @property
    def log(self) -> str:
        return self.output.read_text()

    def pids(self, what: str = "started") -> set[int]:
        return {int(file.name) for file in (self.folder / what).iterdir()}

    def living(self) -> set[int]:
        return {pid for pid in self.pids() if is_alive(pid)}

    def send(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process
        return self.process.wait(60)

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.living():
            os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not asked for its status does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path)
    try:
        yield supervisor
    finally:
        supervisor.end()


@pytest.fixture
def serving(supervisor: Supervisor) -> Callable[[], Supervisor]:
    def start() -> Supervisor:
        supervisor.start(SERVES)
        wait_until(lambda: "all listen" in supervisor.log)
        return supervisor

    return start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_every_worker(serving: Callable[[], Supervisor], number: int) -> None:
    supervisor = serving()
    supervisor.send(number)
    assert supervisor.wait() == 0
    assert supervisor.pids("drained") == supervisor.pids()
    assert len(supervisor.pids()) == 2
    assert supervisor.log.count("all listen") == 1


def test_nothing_is_announced_before_all_listen(supervisor: Supervisor) -> None:
    the_second_is_slow = """
try:
    Path("first").touch(exist_ok=False)
except FileExistsError:
    while not Path("go").exists():
        time.sleep(0.02)
"""
    supervisor.start(the_second_is_slow + SERVES)
    wait_until(lambda: len(supervisor.pids()) == 2)
    time.sleep(1)  # the first one has listened for long by now
    assert "all listen" not in supervisor.log
    (supervisor.folder / "go").touch()
    wait_until(lambda: "all listen" in supervisor.log)


def test_a_supervisor_that_is_stopped_early_waits_for_no_start(supervisor: Supervisor) -> None:
    supervisor.start("time.sleep(600)")
    wait_until(lambda: len(supervisor.pids()) == 2)
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 0


def test_a_worker_that_dies_is_replaced(serving: Callable[[], Supervisor]) -> None:
    supervisor = serving()
    victim = min(supervisor.pids())
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(supervisor.living() - {victim}) == 2)
    assert f"Worker {victim} ended with status -9" in supervisor.log


@pytest.mark.slow
def test_workers_that_cannot_start_are_given_up(supervisor: Supervisor) -> None:
    supervisor.start("sys.exit('no such thing')")
    assert supervisor.wait() == 1
    assert "Giving up" in supervisor.log
    assert 5 <= len(supervisor.pids()) <= 6


def test_a_worker_that_ends_before_it_listens_is_not_started_in_a_fast_loop(supervisor: Supervisor) -> None:
    only_the_first_serves = """
try:
    Path("first").touch(exist_ok=False)
except FileExistsError:
    sys.exit(1)
"""
    supervisor.start(only_the_first_serves + SERVES)
    wait_until(lambda: "another starts in 2 s" in supervisor.log)
    assert supervisor.process
    assert supervisor.process.poll() is None
    assert len(supervisor.living()) == 1


def test_workers_end_when_their_supervisor_is_killed(serving: Callable[[], Supervisor]) -> None:
    supervisor = serving()
    supervisor.send(signal.SIGKILL)
    supervisor.wait()
    wait_until(lambda: not supervisor.living())
    assert supervisor.pids("drained") == supervisor.pids()


def test_a_service_manager_that_signals_every_process_does_not_cut_the_drain_short(supervisor: Supervisor) -> None:
    # Like the real one: the first SIGTERM drains, a second one ends the process at once.
    supervisor.start(
        """
received = []
signal.signal(signal.SIGTERM, lambda *_: received.append(1))
tether.tell_listening()
tether.follow(lambda: bool(received))
while not received:
    time.sleep(0.02)
until = time.monotonic() + 1
while time.monotonic() < until:
    time.sleep(0.02)
sys.exit(len(received) - 1)
"""
    )
    wait_until(lambda: "all listen" in supervisor.log)
    for pid in supervisor.pids():
        os.kill(pid, signal.SIGTERM)
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 0


def test_a_second_signal_ends_workers_that_still_drain(supervisor: Supervisor) -> None:
    drains_for_ever = """
received = []
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0) if received else received.append(1))
tether.tell_listening()
tether.follow(lambda: bool(received))
while not received:
    time.sleep(0.02)
Path("drained", str(os.getpid())).touch()
time.sleep(600)
"""
    supervisor.start(drains_for_ever)
    wait_until(lambda: "all listen" in supervisor.log)
    supervisor.send(signal.SIGTERM)
    wait_until(lambda: len(supervisor.pids("drained")) == 2)
    supervisor.send(signal.SIGTERM)
    assert supervisor.wait() == 0
