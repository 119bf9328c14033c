from __future__ import annotations

import threading

import pytest

from oxide_project.pool import Pool
from tests.waiting import wait_until


def names(pool: Pool) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(f"{pool._name}_")]


def test_a_thread_is_made_only_where_all_others_are_busy() -> None:
    pool, done = Pool(10, "sparing"), threading.Semaphore(0)
    for _ in range(20):
        pool.begin(done.release)
        assert done.acquire(timeout=10)
        wait_until(lambda: len(pool._free) == 1)
    assert names(pool) == ["sparing_0"]
    pool.stop()
    assert names(pool) == []


def test_no_thread_is_made_where_one_is_about_to_be_free() -> None:
    pool, go, done = Pool(10, "patient"), threading.Event(), threading.Event()
    pool.begin(lambda: go.wait(30))
    pool.begin(done.set, needed=lambda: 1)
    assert len(names(pool)) == 1
    go.set()
    assert done.wait(10)
    pool.stop()


def test_nobody_waits_behind_work_that_lasts_as_long_as_there_may_be_more_threads() -> None:
    pool, go, begun = Pool(50, "ample"), threading.Event(), threading.Semaphore(0)

    def last() -> None:
        begun.release()
        go.wait(30)

    for _ in range(50):
        pool.begin(last)
    for _ in range(50):
        assert begun.acquire(timeout=10)
    go.set()
    pool.stop()


def test_beyond_its_limit_work_waits_for_a_thread() -> None:
    pool, go, seen = Pool(2, "small"), threading.Event(), []

    def last() -> None:
        go.wait(30)
        seen.append("done")

    for _ in range(5):
        pool.begin(last)
    assert len(names(pool)) == 2
    go.set()
    wait_until(lambda: len(seen) == 5)
    pool.stop()


def test_work_that_fails_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    pool, done = Pool(1, "tough"), threading.Event()

    def fail() -> None:
        raise ValueError("as it happens")

    pool.begin(fail)
    pool.begin(done.set)
    assert done.wait(10)
    assert "as it happens" in caplog.text
    pool.stop()


def test_what_nobody_has_begun_with_is_left_undone_at_the_end() -> None:
    pool, go, begun, seen = Pool(1, "ended"), threading.Event(), threading.Event(), []

    def last() -> None:
        begun.set()
        go.wait(30)

    pool.begin(last)
    assert begun.wait(10)
    pool.begin(lambda: seen.append("too late"))
    ending = threading.Thread(target=pool.stop)
    ending.start()
    wait_until(lambda: not pool._waiting)
    go.set()
    ending.join(10)
    assert not ending.is_alive()
    assert seen == []
