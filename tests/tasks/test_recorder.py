from __future__ import annotations

import threading
import time

import pytest
from django.db import OperationalError

from tasks import recorder as module
from tasks.models import Attempt, Task, TaskCount
from tasks.recorder import Recorder, RecorderError
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(autouse=True)
def _stopped(recorder: Recorder) -> object:
    yield
    recorder.stop()


def ended(prompt: str = "Fine.") -> Task:
    return Task(prompt=prompt, task_type="general", status="completed")


def test_what_was_saved_is_in_the_database_when_save_returns(recorder: Recorder) -> None:
    task = ended()
    recorder.save(task, [Attempt(task=task, number=1, service="first", status="completed")])
    assert Task.objects.get(pk=task.pk).attempts.get().service == "first"


def test_many_callers_at_once_lose_nothing(recorder: Recorder) -> None:
    tasks = [ended(str(number)) for number in range(300)]
    threads = [threading.Thread(target=recorder.save, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Task.objects.count() == 300


def test_callers_who_come_together_share_a_commit(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    write = module._write

    def slowly(batch: list[module._Entry]) -> None:
        batches.append(len(batch))
        time.sleep(0.05)
        write(batch)

    monkeypatch.setattr(module, "_write", slowly)
    threads = [threading.Thread(target=recorder.save, args=(ended(),)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(batches) == 50
    assert len(batches) < 25


def test_a_short_task_is_written_once_and_a_long_one_is_seen_running(
    recorder: Recorder, django_assert_num_queries: object
) -> None:
    short = ended()
    recorder.announce(short)
    recorder.save(short)
    long = Task(prompt="Long.", task_type="general", status="running")
    recorder.announce(long)
    deadline = time.monotonic() + 10
    while not Task.objects.filter(pk=long.pk, status="running").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    long.status = "completed"
    recorder.save(long)
    assert set(Task.objects.values_list("status", flat=True)) == {"completed"}


def test_a_task_that_ends_while_its_start_is_written_is_counted_as_it_ended(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, task = module._write, Task(prompt="Long.", task_type="general", status="running")

    def while_it_ends(batch: list[module._Entry]) -> None:
        task.status = "completed"  # its tokens are not added up yet
        write(batch)

    monkeypatch.setattr(module, "_write", while_it_ends)
    recorder.announce(task)
    wait_until(Task.objects.exists)
    assert TaskCount.by_status()["running"] == 1
    task.prompt_tokens = 7
    recorder.save(task, [Attempt(task=task, number=1, service="first", status="completed", prompt_tokens=7)])
    assert (TaskCount.total(), TaskCount.total(status="completed")) == (1, 1)
    assert Task.objects.get().prompt_tokens == 7


def test_a_cancel_request_is_not_overwritten(recorder: Recorder) -> None:
    task = Task(prompt="Long.", task_type="general", status="running")
    recorder.save(task)
    Task.objects.update(cancel_requested=True)
    recorder.save(task)
    assert Task.objects.get().cancel_requested


def test_one_bad_row_does_not_cost_the_others(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = ended(), ended()
    bad.task_type = None  # type: ignore[assignment]
    failures: list[BaseException] = []

    def save(task: Task) -> None:
        try:
            recorder.save(task)
        except RecorderError as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(task,)) for task in (bad, good)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [task.pk for task in Task.objects.all()] == [good.pk]
    assert len(failures) == 1


def test_a_database_that_comes_back_is_tried_again(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = module._write, []

    def away_once(batch: list[module._Entry]) -> None:
        calls.append(batch)
        if len(calls) == 1:
            raise OperationalError("away")
        write(batch)

    monkeypatch.setattr(module, "_write", away_once)
    recorder.save(ended())
    assert Task.objects.count() == 1


def test_a_database_that_stays_away_is_an_error(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_batch: list[module._Entry]) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(module, "_write", away)
    with pytest.raises(RecorderError, match="away"):
        recorder.save(ended())


def test_stop_writes_what_is_waiting(recorder: Recorder) -> None:
    task = Task(prompt="Long.", task_type="general", status="running")
    recorder.announce(task)
    threads = [threading.Thread(target=recorder.save, args=(ended(),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    recorder.stop()
    for thread in threads:
        thread.join(10)
    assert Task.objects.filter(status="completed").count() == 20
