from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from services.bulkhead import Bulkhead, BusyError


def test_calls_in_flight_are_counted() -> None:
    bulkhead = Bulkhead(total=10)

    with bulkhead.enter("a", 2), bulkhead.enter("a", 2), bulkhead.enter("b", 2):
        assert (bulkhead.in_flight("a"), bulkhead.in_flight("b"), bulkhead.in_flight_total) == (2, 1, 3)

    assert (bulkhead.in_flight("a"), bulkhead.in_flight("b"), bulkhead.in_flight_total) == (0, 0, 0)


def test_a_full_service_is_refused_at_once_and_others_are_not() -> None:
    bulkhead = Bulkhead(total=10)

    with bulkhead.enter("a", 1):
        with pytest.raises(BusyError) as caught, bulkhead.enter("a", 1):
            pass
        with bulkhead.enter("b", 1):
            pass

    assert caught.value.service == "a"
    assert caught.value.retry_after > 0
    assert "max_concurrency" in str(caught.value)


def test_a_refused_call_takes_no_place() -> None:
    bulkhead = Bulkhead(total=2)

    with bulkhead.enter("a", 1):
        with pytest.raises(BusyError), bulkhead.enter("a", 1):
            pass
        assert (bulkhead.in_flight("a"), bulkhead.in_flight_total) == (1, 1)


def test_all_services_together_have_a_limit() -> None:
    bulkhead = Bulkhead(total=2)

    with bulkhead.enter("a", 5), bulkhead.enter("b", 5):
        with pytest.raises(BusyError) as caught, bulkhead.enter("c", 5):
            pass
        assert bulkhead.in_flight("c") == 0
    with bulkhead.enter("c", 5):
        pass

    assert caught.value.service == "c"
    assert "OXIDE_THREADS" in str(caught.value)


def test_a_place_is_given_back_after_an_error() -> None:
    bulkhead = Bulkhead(total=1)

    with pytest.raises(KeyError), bulkhead.enter("a", 1):
        raise KeyError

    with bulkhead.enter("a", 1):
        assert bulkhead.in_flight("a") == 1


def test_a_limit_may_grow_and_shrink_while_calls_are_under_way() -> None:
    bulkhead = Bulkhead(total=10)

    with ExitStack() as calls:
        calls.enter_context(bulkhead.enter("a", 1))
        calls.enter_context(bulkhead.enter("a", 3))
        calls.enter_context(bulkhead.enter("a", 3))
        with pytest.raises(BusyError), bulkhead.enter("a", 2):
            pass
        assert bulkhead.in_flight("a") == 3

    with bulkhead.enter("a", 1):
        pass


def test_many_threads_never_pass_the_limit() -> None:
    bulkhead = Bulkhead(total=100)
    all_in = threading.Barrier(4, timeout=30)

    def enter(_: int) -> bool:
        try:
            with bulkhead.enter("a", 4):
                all_in.wait()
                return True
        except BusyError:
            return False

    with ThreadPoolExecutor(16) as pool:
        first = list(pool.map(enter, range(4)))
        assert first == [True] * 4
        with ExitStack() as calls:
            for _ in range(3):
                calls.enter_context(bulkhead.enter("a", 4))
            with bulkhead.enter("a", 4):
                assert list(pool.map(enter, range(50))) == [False] * 50

    assert (bulkhead.in_flight("a"), bulkhead.in_flight_total) == (0, 0)


def test_counts_are_right_after_much_coming_and_going() -> None:
    bulkhead = Bulkhead(total=6)
    names = ["a", "b", "c"]
    highest = []

    def come_and_go(number: int) -> None:
        for step in range(200):
            try:
                with bulkhead.enter(names[(number + step) % 3], 3):
                    highest.append(bulkhead.in_flight_total)
            except BusyError:
                pass

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(come_and_go, range(12)))

    assert max(highest) <= 6
    assert bulkhead.in_flight_total == 0
    assert [bulkhead.in_flight(name) for name in names] == [0, 0, 0]
