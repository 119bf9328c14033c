from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tasks.models import Attempt, Task, TaskCount
from tasks.storing import prune, store

pytestmark = pytest.mark.django_db


def make(days: int, status: str = "completed") -> Task:
    task = Task(prompt="Old?", task_type="general", status=status, created_at=timezone.now() - timedelta(days=days))
    store([task], [Attempt(task=task, number=1, service="first", status="completed")])
    return task


def test_only_finished_tasks_beyond_the_days_go_and_their_attempts_with_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(40)
    recent, running = make(20), make(40, status="running")
    call_command("prune", "--days", "30")
    assert set(Task.objects.all()) == {recent, running}
    assert Attempt.objects.count() == 2
    assert TaskCount.by_status() == {"queued": 0, "running": 1, "completed": 1, "failed": 0, "cancelled": 0}
    assert "Deleted 1 tasks" in capsys.readouterr().out


def test_more_than_a_slice_is_pruned() -> None:
    created = timezone.now() - timedelta(days=40)
    store(Task(prompt="Old.", task_type="general", status="completed", created_at=created) for _ in range(1200))
    assert prune(timedelta(days=30)) == 1200
    assert not Task.objects.exists()
    assert TaskCount.total() == 0


@pytest.mark.parametrize("days", ["-1", "0", "many", "1e3"])
def test_days_must_be_a_number_of_days(days: str) -> None:
    with pytest.raises(CommandError, match="days"):
        call_command("prune", f"--days={days}")
