"""What the recorder makes of a database that breaks off, and of rows that cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import pytest
from django.db import OperationalError

from tasks import recorder as module
from tasks.models import Attempt, Task, TaskCount
from tasks.recorder import Recorder, RecorderError
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.stop()


def ended(prompt: str = "Fine.") -> Task:
    return Task(prompt=prompt, task_type="general", status="completed")


def test_a_row_that_cannot_even_be_sent_does_not_end_the_recorder(recorder: Recorder) -> None:
    with pytest.raises(RecorderError):
        recorder.save(ended("half a pair: \ud800"))
    recorder.save(ended())
    assert Task.objects.get().prompt == "Fine."


def test_a_commit_whose_answer_was_lost_is_written_again_without_harm(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = module._write, []

    def answer_lost_once(batch: list[module._Entry]) -> None:
        write(batch)
        calls.append(batch)
        if len(calls) == 1:
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(module, "_write", answer_lost_once)
    task = ended()
    recorder.save(task, [Attempt(task=task, number=number, service="first", status="completed") for number in (1, 2)])
    assert len(calls) == 2
    assert [attempt.number for attempt in Task.objects.get().attempts.all()] == [1, 2]


def test_a_commit_that_broke_off_and_came_through_after_all_counts_once(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = module._write, []

    def broken_off_once(batch: list[module._Entry]) -> None:
        calls.append(batch)
        if len(calls) == 1:
            # What this process has in hand does not know of it.
            write([module._Entry(copy(entry.task), entry.attempts) for entry in batch])
            raise OperationalError("server closed the connection unexpectedly")
        write(batch)

    monkeypatch.setattr(module, "_write", broken_off_once)
    task = ended()
    recorder.save(task, [Attempt(task=task, number=1, service="first", status="completed")])
    assert len(calls) == 2
    assert (Task.objects.count(), Attempt.objects.count(), TaskCount.total()) == (1, 1, 1)


def test_a_start_that_was_put_off_does_not_hide_the_end() -> None:
    task = ended()
    start = copy(task)
    start.status = "running"
    module._write([module._Entry(task), module._Entry(start)])
    assert Task.objects.get().status == "completed"


def test_tasks_whose_callers_were_refused_are_written_when_the_database_is_back(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, away = module._write, True

    def sometimes_away(batch: list[module._Entry]) -> None:
        if away:
            raise OperationalError("away")
        write(batch)

    monkeypatch.setattr(module, "_write", sometimes_away)
    monkeypatch.setattr(module, "_is_away", lambda: away)
    task = ended()
    with pytest.raises(RecorderError):
        recorder.save(task, [Attempt(task=task, number=1, service="first", status="completed")])
    assert not Task.objects.exists()
    away = False
    wait_until(Task.objects.exists)
    assert Task.objects.get().attempts.get().service == "first"
