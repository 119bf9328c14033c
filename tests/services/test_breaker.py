from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.breaker import Breaker, Breakers


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, times: int = 5) -> None:
    for _ in range(times):
        breaker.record_failure()


def test_it_begins_closed(breaker: Breaker) -> None:
    assert breaker.state == "closed"
    assert breaker.admit() is None
    assert breaker.retry_after == 0
    assert not breaker.blocked()


def test_four_failures_in_a_row_leave_it_closed(breaker: Breaker) -> None:
    fail(breaker, 4)

    assert breaker.state == "closed"
    assert breaker.admit() is None


def test_five_failures_in_a_row_open_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)

    assert breaker.state == "open"
    assert breaker.blocked()
    assert breaker.admit() == breaker.retry_after == 30
    clock.advance(10)
    assert breaker.admit() == breaker.retry_after == 20


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 4)
    breaker.record_success()
    fail(breaker, 4)

    assert breaker.state == "closed"


def test_an_outcome_that_says_nothing_does_not_count(breaker: Breaker) -> None:
    fail(breaker, 4)
    breaker.release()
    fail(breaker, 1)

    assert breaker.state == "open"


def test_after_the_pause_exactly_one_trial_is_admitted(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(30)

    assert breaker.state == "half_open"
    assert not breaker.blocked()
    assert breaker.admit() is None
    assert breaker.state == "half_open"
    assert breaker.blocked()
    assert breaker.admit() == breaker.retry_after == 1


def test_of_many_threads_one_gets_the_trial(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(30)

    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: breaker.admit(), range(200)))

    assert waits.count(None) == 1


def test_asking_whether_it_is_blocked_takes_no_trial(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(30)

    assert not breaker.blocked()
    assert not breaker.blocked()
    assert breaker.admit() is None


def test_a_trial_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(30)
    breaker.admit()
    breaker.record_success()

    assert breaker.state == "closed"
    assert breaker.admit() is None
    fail(breaker, 4)
    assert breaker.state == "closed"


def test_every_trial_that_fails_doubles_the_pause_up_to_five_minutes(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    pauses = []
    for _ in range(6):
        pauses.append(breaker.retry_after)
        clock.advance(breaker.retry_after)
        assert breaker.admit() is None
        breaker.record_failure()
        assert breaker.state == "open"

    assert pauses == [30, 60, 120, 240, 300, 300]


def test_a_success_makes_the_next_pause_short_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(30)
    breaker.admit()
    breaker.record_failure()
    clock.advance(60)
    breaker.admit()
    breaker.record_success()
    fail(breaker)

    assert breaker.retry_after == 30


def test_a_trial_given_back_leaves_its_place_to_the_next(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(30)
    breaker.admit()
    breaker.release()

    assert breaker.state == "half_open"
    assert breaker.admit() is None


def test_a_trial_that_is_never_reported_does_not_block_for_ever(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(30)
    breaker.admit()

    clock.advance(29.5)
    assert breaker.admit() == 0.5
    clock.advance(0.5)

    assert not breaker.blocked()
    assert breaker.admit() is None
    assert breaker.blocked()


def test_open_it_admits_one_call_a_second_that_has_no_alternative(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)

    assert breaker.admit() == 30
    assert breaker.admit(last_resort=True) is None
    assert breaker.admit(last_resort=True) == 1
    breaker.release()
    clock.advance(0.25)
    assert breaker.admit(last_resort=True) == 0.75
    clock.advance(0.75)
    assert breaker.admit(last_resort=True) is None


def test_a_last_resort_that_fails_leaves_the_pause_as_it_is(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    for second in range(5):
        assert breaker.admit(last_resort=True) is None
        breaker.record_failure()
        assert (breaker.state, breaker.retry_after) == ("open", 30 - second)
        clock.advance(1)

    clock.advance(25)
    assert breaker.admit() is None
    breaker.record_failure()
    assert breaker.retry_after == 60


def test_a_last_resort_that_succeeds_closes_it(breaker: Breaker) -> None:
    fail(breaker)
    assert breaker.admit(last_resort=True) is None
    breaker.record_success()

    assert breaker.state == "closed"


def test_calls_from_before_it_opened_do_not_prolong_the_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(10)
    fail(breaker)
    assert breaker.retry_after == 20

    clock.advance(20)
    fail(breaker)
    assert breaker.state == "half_open"
    assert breaker.admit() is None


def test_a_late_success_closes_it(breaker: Breaker) -> None:
    fail(breaker)
    breaker.record_success()

    assert breaker.state == "closed"


def test_threshold_and_pause_are_settings(clock: Clock) -> None:
    breaker = Breaker(clock, threshold=1, open_seconds=2.0)
    fail(breaker, 1)

    assert breaker.retry_after == 2


def test_every_service_has_a_breaker_of_its_own() -> None:
    breakers = Breakers()
    fail(breakers["a"])

    assert breakers["a"].blocked()
    assert not breakers["b"].blocked()
    breakers.clear()
    assert not breakers["a"].blocked()


def test_threads_that_ask_first_together_get_the_same_breaker() -> None:
    breakers = Breakers()

    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: id(breakers["a"]), range(200)))

    assert len(found) == 1
