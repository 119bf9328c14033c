from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from monitoring.progress import UNKNOWN_SECONDS, Tracker, elapsed, estimate, progress_of, service_of, tracker
from tasks.models import Status, Task


def task(status: Status = Status.RUNNING, age: float = 0.0, took: float | None = None, **fields: Any) -> Task:
    now = timezone.now()
    started = now - timedelta(seconds=age)
    return Task(
        status=status,
        started_at=None if status is Status.QUEUED else started,
        completed_at=None if took is None else started + timedelta(seconds=took),
        **{"decision": {"candidates": [{"service": "first"}, {"service": "second"}]}, **fields},
    )


@pytest.mark.parametrize(
    ("share", "percent"), [(0.0, 0), (0.004, 0), (0.5, 50), (0.949, 94), (0.96, 95), (1.0, 95), (40.0, 95), (-3.0, 0)]
)
def test_a_share_is_a_whole_number_of_percent_and_at_most_95(share: float, percent: int) -> None:
    assert estimate(share) == percent


def test_a_queued_task_stands_at_0_and_an_ended_one_at_100() -> None:
    assert progress_of(task(Status.QUEUED)) == 0
    for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        assert progress_of(task(status, age=9, took=1)) == 100


def test_a_running_task_stands_where_its_time_does_of_what_is_usual() -> None:
    known = task(age=UNKNOWN_SECONDS / 2)
    assert 50 <= progress_of(known) <= 55


def test_what_is_usual_is_learned_from_tasks_that_were_completed() -> None:
    mine = Tracker()
    for status, took in ((Status.COMPLETED, 4.0), (Status.FAILED, 100.0), (Status.COMPLETED, 9.0)):
        done = task(age=200)
        mine.begin(done)
        done.status, done.service_used = status, "first"
        assert done.started_at is not None
        done.completed_at = done.started_at + timedelta(seconds=took)
        assert mine.end(done)
    assert mine.usual_seconds("first") == pytest.approx(5.0)
    assert mine.usual_seconds("other") == UNKNOWN_SECONDS
    assert not mine.end(done)


def test_text_that_was_read_along_counts_against_the_most_there_may_be() -> None:
    mine = Tracker()
    answered = task(parameters={"max_tokens": 100})
    mine.begin(answered)
    assert mine.note_text(str(answered.pk), "x" * 120) == 0
    assert mine.note_text(str(answered.pk), "y" * 80) == 120
    running = mine.get(str(answered.pk))
    assert running is not None
    assert running.advance()
    assert running.progress == 50  # 200 characters, about 50 tokens
    assert mine.note_text("unknown", "z") == 0
    assert running.text == "x" * 120 + "y" * 80
    mine.begin_answer(str(answered.pk))
    assert (running.text, running.characters) == ("", 0)


def test_a_task_waits_for_a_place_until_its_answer_begins_which_is_news_once() -> None:
    mine = Tracker()
    held = task()
    assert not mine.note_wait(str(held.pk)), "it does not run here"
    mine.begin(held)
    told = [mine.note_wait(str(held.pk)) for _ in range(3)]
    assert (told, mine.waiting) == ([True, False, False], 1)
    assert [mine.begin_answer(str(held.pk)) for _ in range(2)] == [True, False]
    assert mine.waiting == 0


def test_progress_never_goes_back() -> None:
    mine = Tracker()
    clock = task(age=8)
    mine.begin(clock)
    running = mine.get(str(clock.pk))
    assert running is not None
    assert running.advance()
    before = running.progress
    clock.started_at = timezone.now() + timedelta(hours=1)  # the clock was set back
    assert not running.advance()
    assert running.progress == before
    assert elapsed(clock) == 0.0


def test_a_task_that_the_database_never_took_is_forgotten_after_a_while() -> None:
    mine = Tracker()
    lost, new = task(age=300, took=1), task(age=3, took=1)
    lost.status = new.status = Status.FAILED
    for each in (lost, new):
        mine.begin(each)
    mine.forget_ended()
    assert [running.task for running in mine] == [new]


def test_the_service_is_the_one_that_did_it_or_is_asked_first() -> None:
    assert service_of(task()) == "first"
    assert service_of(task(service_used="second")) == "second"
    assert service_of(task(decision={})) == ""
    assert service_of(task(Status.FAILED, took=1)) == ""


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    tracker.clear()
