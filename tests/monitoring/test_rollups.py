from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models import Sum

from monitoring.models import ALL_TIME, LatencyCount, Rollup, minute_of
from tasks.models import Attempt, Task
from tasks.recorder import Recorder
from tasks.storing import interrupt, store
from tests.monitoring.conftest import FAILED, Record

NOON = datetime(2026, 1, 1, 12, 3, 20, tzinfo=UTC)


def rows(all_time: bool = False) -> dict[tuple[str, ...], Rollup]:
    """Rows by service, status, model and basis."""
    found = Rollup.objects.filter(period=ALL_TIME) if all_time else Rollup.objects.exclude(period=ALL_TIME)
    return {(row.service, row.status, row.model, row.cost_basis): row for row in found}


def sums(*figures: str) -> dict[str, int]:
    return Rollup.objects.exclude(period=ALL_TIME).aggregate(**{name: Sum(name, default=0) for name in figures})


def test_a_task_adds_its_figures_to_the_minute_in_which_it_ended(record: Record) -> None:
    record(ended=NOON)
    (row,) = rows().values()
    assert row.period == minute_of(datetime(2026, 1, 1, 12, 3, tzinfo=UTC))
    assert (row.service, row.model, row.task_type, row.status) == ("first", "alpha", "general", "completed")
    assert (row.tasks, row.attempts, row.prompt_tokens, row.completion_tokens) == (1, 1, 100, 50)
    assert (row.cost_nanodollars, row.cost_basis, row.latency_us) == (2_000_000, "computed", 120_000)


def test_the_next_minute_has_rows_of_its_own(record: Record) -> None:
    for minute in (3, 3, 4, 59):
        record(ended=NOON.replace(minute=minute))
    assert sorted(row.tasks for row in Rollup.objects.exclude(period=ALL_TIME)) == [1, 1, 2]
    assert [row.tasks for row in rows(all_time=True).values()] == [4]


def test_each_attempt_counts_at_its_own_service_and_the_task_where_it_was_answered(record: Record) -> None:
    record({"service": "first", **FAILED}, {"service": "second"}, ended=NOON)
    found = rows()
    failed, answered = found["first", "failed", "", ""], found["second", "completed", "alpha", "computed"]
    assert (failed.tasks, failed.attempts, failed.latency_us) == (0, 1, 3_000)
    assert (answered.tasks, answered.attempts) == (1, 1)
    assert LatencyCount.objects.exclude(period=ALL_TIME).get().service == "second"


def test_a_failed_task_counts_under_no_service(record: Record) -> None:
    record(FAILED, status="failed", cost_basis="")
    assert {key: (row.tasks, row.attempts) for key, row in rows().items()} == {
        ("", "failed", "", ""): (1, 0),
        ("first", "failed", "", ""): (0, 1),
    }


def test_models_that_callers_made_up_get_no_rows(record: Record) -> None:
    for number in range(20):
        record({**FAILED, "model": f"made-up-{number}"}, status="failed", cost_basis="")
    assert Rollup.objects.exclude(period=ALL_TIME).exclude(model="").count() == 0
    assert sums("attempts") == {"attempts": 20}


def test_an_unknown_cost_adds_nothing_but_is_seen(record: Record) -> None:
    record({"cost_nanodollars": None, "cost_basis": "unknown"})
    row = rows()["first", "completed", "alpha", "unknown"]
    assert (row.attempts, row.cost_nanodollars) == (1, 0)


@pytest.mark.django_db
def test_a_task_that_still_runs_is_not_counted() -> None:
    store([Task(prompt="Long.", task_type="general", status="running")])
    assert not Rollup.objects.exists()


@pytest.mark.django_db
def test_an_interrupted_task_counts_as_failed() -> None:
    store([Task(prompt="Long.", task_type="general", status="running") for _ in range(3)])
    interrupt(Task.objects.all())
    (row,) = rows().values()
    assert (row.status, row.tasks, row.attempts) == ("failed", 3, 0)


@pytest.mark.django_db
def test_an_interrupted_task_that_was_only_slow_counts_once_and_as_it_ended() -> None:
    task = Task(prompt="Long.", task_type="general", status="running")
    store([task])
    interrupt(Task.objects.all())
    task.status, task.service_used = "completed", "first"
    for _ in range(2):
        store([task], [Attempt(task=task, number=1, service="first", status="completed", latency_ms=5)])
    assert sums("tasks", "attempts") == {"tasks": 1, "attempts": 1}
    assert {status: row.tasks for (_, status, *_), row in rows().items()} == {"failed": 0, "completed": 1}
    assert {status: row.tasks for (_, status, *_), row in rows(all_time=True).items()} == {"failed": 0, "completed": 1}
    assert LatencyCount.objects.get(period=ALL_TIME).attempts == 1


@pytest.mark.django_db(transaction=True)
def test_recorders_at_once_lose_and_double_nothing() -> None:
    recorders = [Recorder(), Recorder(), Recorder()]  # as in three processes

    def save(recorder: Recorder, number: int) -> None:
        for status in ("running", "completed"):
            task = tasks[number]
            task.status = status
            done = Attempt(task=task, number=1, service=f"service {number % 3}", status="completed", latency_ms=number)
            recorder.save(task, [done] if status == "completed" else [])

    tasks = [Task(prompt="Fine.", task_type="general", service_used=f"service {n % 3}") for n in range(150)]
    threads = [threading.Thread(target=save, args=(recorders[n % 3], n)) for n in range(150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for recorder in recorders:
        recorder.stop()
    assert sums("tasks", "attempts") == {"tasks": 150, "attempts": 150}
    by_service: Any = dict(
        LatencyCount.objects.filter(period=ALL_TIME).values_list("service").annotate(Sum("attempts"))
    )
    assert by_service == {f"service {n}": 50 for n in range(3)}


@pytest.mark.django_db(transaction=True)
def test_one_bad_task_in_a_batch_costs_the_figures_of_no_other() -> None:
    recorder = Recorder()
    good = [Task(prompt="Fine.", task_type="general", status="completed") for _ in range(5)]
    bad = Task(prompt="Bad.", task_type="x" * 500, status="completed", created_at=None)  # type: ignore[misc]
    threads = [threading.Thread(target=_save, args=(recorder, task)) for task in [*good, bad]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.stop()
    assert Task.objects.count() == 5
    assert sums("tasks") == {"tasks": 5}


def _save(recorder: Recorder, task: Task) -> None:
    try:
        recorder.save(task)
    except Exception:
        assert task.prompt == "Bad."
