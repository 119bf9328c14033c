"""The work that goes on beside requests."""

from __future__ import annotations

import logging
import threading

import pytest

from oxide_project.loops import Loop, Loops
from tests.waiting import wait_until


class Work:
    """Counts its turns; those listed in `failing` fail."""

    def __init__(self, failing: range) -> None:
        self.turns = 0
        self._failing = failing

    def __call__(self) -> None:
        self.turns += 1
        if self.turns in self._failing:
            raise ConnectionError(f"turn {self.turns}")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_failing_loop_goes_on_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(failing=range(1, 100))
    loops = Loops([Loop("broken", 0.001, work)])
    loops.start()
    wait_until(lambda: work.turns >= 20)
    loops.stop()
    assert told(caplog) == ["The loop 'broken' fails, and goes on trying."]
    assert "turn 1" in caplog.text  # with what happened


def test_the_next_outage_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    turns: list[int] = []

    def work() -> None:
        turns.append(len(turns))
        if turns[-1] in (0, 1, 5, 6):
            raise ConnectionError

    loops = Loops([Loop("shaky", 0.001, work)])
    loops.start()
    wait_until(lambda: len(turns) > 10)
    loops.stop()
    assert len(told(caplog)) == 2


def test_a_slow_loop_delays_no_other() -> None:
    held, quick = threading.Event(), Work(failing=range(0))
    loops = Loops([Loop("slow", 0.001, lambda: held.wait(30)), Loop("quick", 0.001, quick)])
    loops.start()
    wait_until(lambda: quick.turns >= 5)
    held.set()
    loops.stop()


def test_a_stopped_loop_works_no_more() -> None:
    work = Work(failing=range(0))
    loops = Loops([Loop("any", 0.001, work)])
    loops.start()
    wait_until(lambda: work.turns)
    loops.stop()
    assert "any" not in {thread.name for thread in threading.enumerate()}
