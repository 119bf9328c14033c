from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tasks import signals, storing
from tasks.models import Attempt, Task, TaskCount
from tasks.recorder import Recorder
from tasks.storing import interrupt, prune, store


def task(status: str = "completed", **fields: Any) -> Task:
    return Task(**{"prompt": "Fine.", "task_type": "general", "status": status, "service_used": "first", **fields})


def attempt(of: Task, number: int = 1, **fields: Any) -> Attempt:
    return Attempt(**{"task": of, "number": number, "service": "first", "status": "completed", **fields})


def counts() -> dict[str, int]:
    return {status: number for status, number in TaskCount.by_status().items() if number}


@pytest.fixture
def heard() -> Any:
    """What `tasks_recorded` was sent with, as lists of ids and of attempt numbers."""
    news: list[dict[str, list[Any]]] = []

    def receive(ended: list[Task], attempts: list[Attempt], revoked: list[Task], **_: Any) -> None:
        numbers = [row.number for row in attempts]
        news.append(
            {"ended": [row.pk for row in ended], "attempts": numbers, "revoked": [row.status for row in revoked]}
        )

    signals.tasks_recorded.connect(receive, weak=False)
    yield news
    signals.tasks_recorded.disconnect(receive)


@pytest.mark.django_db
def test_a_task_is_counted_under_the_status_that_it_has_now() -> None:
    row = task("queued")
    for status in ("queued", "running", "running", "completed"):
        row.status = status
        store([row])
        assert counts() == {status: 1}


@pytest.mark.django_db
def test_only_what_has_ended_is_told_and_only_once(heard: Any) -> None:
    row = task("running")
    store([row])
    row.status = "completed"
    store([row], [attempt(row)])
    assert heard == [{"ended": [row.pk], "attempts": [1], "revoked": []}]


@pytest.mark.django_db
def test_storing_again_what_is_stored_counts_nothing_twice(heard: Any) -> None:
    row = task()
    for _ in range(2):
        store([row], [attempt(row, 1), attempt(row, 2)])
    assert counts() == {"completed": 1}
    assert [told["attempts"] for told in heard] == [[1, 2], []]
    assert [told["revoked"] for told in heard] == [[], ["completed"]]
    assert Attempt.objects.count() == 2


@pytest.mark.django_db
def test_a_task_taken_for_dead_that_ends_after_all_counts_as_it_really_ended(heard: Any) -> None:
    row = task("running")
    store([row])
    assert interrupt(Task.objects.all()) == 1
    assert counts() == {"failed": 1}
    row.status = "completed"
    store([row], [attempt(row)])
    assert counts() == {"completed": 1}
    assert heard[1] == {"ended": [row.pk], "attempts": [1], "revoked": ["failed"]}


@pytest.mark.django_db
def test_a_task_that_has_ended_is_not_opened_again() -> None:
    row = task("queued")
    store([row])
    interrupt(Task.objects.all())
    row.status = "running"
    store([row])
    assert Task.objects.get().error_code == "INTERRUPTED"
    assert counts() == {"failed": 1}


@pytest.mark.django_db
def test_more_than_a_slice_is_interrupted_and_only_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "SLICE", 3)
    store([*(task("queued", prompt="Leave me.") for _ in range(2)), *(task("running") for _ in range(7)), task()])
    assert interrupt(Task.objects.exclude(prompt="Leave me.")) == 7
    assert counts() == {"queued": 2, "failed": 7, "completed": 1}
    assert Task.objects.filter(error_code="INTERRUPTED", completed_at__isnull=False).count() == 7


@pytest.mark.django_db
def test_a_receiver_that_fails_undoes_what_was_written() -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("no room")

    signals.tasks_recorded.connect(refuse, weak=False)
    try:
        with pytest.raises(RuntimeError, match="no room"):
            store([task()])
    finally:
        signals.tasks_recorded.disconnect(refuse)
    assert not Task.objects.exists()
    assert counts() == {}


@pytest.mark.django_db
def test_counts_can_be_asked_by_status_service_and_type() -> None:
    store([task(), task("failed"), task(service_used="second")])
    store([task("failed", task_type="chat", service_used="second")])
    assert TaskCount.total() == 4
    assert TaskCount.total(status="failed") == 2
    assert TaskCount.total(service="second", task_type="general") == 1
    assert TaskCount.total(service="third") == 0


@pytest.mark.django_db
def test_pruning_takes_what_it_deletes_out_of_the_counts() -> None:
    long_ago = timezone.now() - timedelta(days=40)
    store([task(), *(task(status, created_at=long_ago) for status in ("completed", "failed", "running"))])
    assert prune(timedelta(days=30)) == 2
    assert counts() == {"running": 1, "completed": 1}


@pytest.mark.django_db(transaction=True)
def test_the_counts_stay_exact_while_tasks_are_recorded_interrupted_and_pruned_at_once() -> None:
    recorders = [Recorder(), Recorder()]  # as in two processes
    rows = [task("running", created_at=timezone.now() - timedelta(days=1 + number % 2)) for number in range(120)]
    store(rows)

    def finish(recorder: Recorder, mine: list[Task]) -> None:
        for row in mine:
            row.status = "completed"
            recorder.save(row, [attempt(row)])

    def bury() -> None:
        for _ in range(10):
            interrupt(Task.objects.all())
            prune(timedelta(days=1, hours=12))
        connection.close()

    threads = [threading.Thread(target=bury)]
    threads += [
        threading.Thread(target=finish, args=(recorder, rows[start::4]))
        for start, recorder in enumerate([*recorders, *recorders])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for recorder in recorders:
        recorder.stop()
    stored = Task.objects.order_by().values_list("status", flat=True)
    assert counts() == {status: list(stored).count(status) for status in set(stored)}


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks at the plans of SQLite")
def test_open_tasks_are_found_by_their_own_index_however_long_the_history() -> None:
    assert "USING INDEX task_open" in Task.objects.open().explain()
