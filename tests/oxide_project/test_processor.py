"""Which processor the process runs on. `tests/journeys/test_processor.py` asks the real system."""

from __future__ import annotations

import os
import random
from unittest.mock import Mock

import pytest

from oxide_project.processor import Place, _Seen, choose


class System:
    """Processors that have been busy for so many seconds, a clock, and where the process was sent."""

    def __init__(self) -> None:
        self.clock = self.own = 0.0
        self.busy = {0: 0.0, 1: 0.0, 2: 0.0}
        self.sent: set[int] = set()

    def pass_second(self, own: float, at: int, others: dict[int, float]) -> None:
        self.clock += 1
        self.own += own
        self.busy[at] += own
        for cpu, seconds in others.items():
            self.busy[cpu] += seconds


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    system = System()
    monkeypatch.setattr(_Seen, "now", lambda: _Seen(system.clock, system.own, dict(system.busy)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda _thread, cpus: setattr(system, "sent", cpus))
    monkeypatch.setattr(random, "choice", lambda processors: processors[0])
    monkeypatch.setattr(random, "random", lambda: 0.0)
    return system


def placed(system: System, processors: set[int]) -> Place:
    """On the first of them, as nobody else did anything so far."""
    place = Place(processors)
    system.clock += 1
    place.keep()
    assert system.sent == {0}
    return place


def test_it_runs_on_all_until_it_has_seen_which_one_is_free(system: System) -> None:
    place = Place({0, 1, 2})
    assert set(system.sent) == {0, 1, 2}
    system.pass_second(own=0.5, at=1, others={0: 0.9, 1: 0.1, 2: 0.3})
    place.keep()
    assert system.sent == {2}


def test_several_that_start_together_do_not_all_go_to_one(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = Mock(side_effect=lambda processors: processors[-1])
    monkeypatch.setattr(random, "choice", choice)
    place = Place({0, 1, 2})
    system.pass_second(own=0.0, at=0, others={0: 0.9, 1: 0.2, 2: 0.3})
    place.keep()
    choice.assert_called_once_with([1, 2])
    assert system.sent == {2}


def test_it_stays_however_busy_it_is_itself(system: System) -> None:
    place = placed(system, {0, 1, 2})
    for _ in range(3):
        system.pass_second(own=1.0, at=0, others={})
        place.keep()
        assert system.sent == {0}


def test_it_moves_to_where_others_leave_most(system: System) -> None:
    place = placed(system, {0, 1, 2})
    system.pass_second(own=0.4, at=0, others={0: 0.6, 1: 0.2, 2: 0.1})
    place.keep()
    assert system.sent == {2}
    system.pass_second(own=0.9, at=2, others={0: 0.6, 1: 0.2, 2: 0.1})
    place.keep()
    assert system.sent == {2}


def test_a_little_more_is_not_worth_moving_for(system: System) -> None:
    place = placed(system, {0, 1})
    system.pass_second(own=0.5, at=0, others={0: 0.2})
    place.keep()
    assert system.sent == {0}


def test_one_of_two_in_the_same_place_may_stay(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.9)
    place = placed(system, {0, 1})
    system.pass_second(own=0.5, at=0, others={0: 0.5})
    place.keep()
    assert system.sent == {0}


def test_where_the_system_tells_nothing_it_stays(system: System) -> None:
    system.busy = {}
    place = Place({0, 1})
    system.clock += 1
    place.keep()
    assert system.sent == {0}


def test_one_processor_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {3})
    assert choose() is None


def test_where_it_may_not_choose_it_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: int, _processors: set[int]) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert choose() is None


def test_a_system_without_such_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity")
    assert choose() is None
