from __future__ import annotations

import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from services.adapters.call import CancelToken
from tasks import runner, running
from tasks.models import Runner, Task
from tasks.recorder import recorder

pytestmark = pytest.mark.django_db(transaction=True)


def process(silent_seconds: float = 0) -> Runner:
    return Runner.objects.create(host="elsewhere", pid=1, seen_at=timezone.now() - timedelta(seconds=silent_seconds))


def open_task(runner_id: uuid.UUID | None, status: str = "running") -> Task:
    return Task.objects.create(prompt="Long.", task_type="general", status=status, runner=runner_id)


def state(task: Task) -> tuple[str, str]:
    task.refresh_from_db()
    return task.status, task.error_code


@pytest.fixture
def beating(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has beaten for a while, and its next beat is due."""
    now = time.monotonic()
    monkeypatch.setattr(runner, "_last_beat", now - Runner.BEAT_SECONDS)
    monkeypatch.setattr(runner, "_unbroken_since", now - 60)


def test_a_process_that_begins_alone_closes_whatever_was_left_open() -> None:
    process()
    left = [open_task(uuid.uuid4()), open_task(None, "queued")]
    done = open_task(uuid.uuid4(), "completed")
    runner.begin(alone=True)
    assert [state(task) for task in left] == [("failed", "INTERRUPTED")] * 2
    assert left[0].completed_at is not None
    assert state(done) == ("completed", "")
    assert [living.pk for living in Runner.objects.all()] == [runner.runner_id()]


def test_a_process_that_begins_beside_others_leaves_their_tasks_alone() -> None:
    task = open_task(process().pk)
    runner.begin(alone=False)
    assert state(task) == ("running", "")
    assert Runner.objects.count() == 2


@pytest.mark.usefixtures("beating")
def test_the_tasks_of_a_process_that_went_silent_are_interrupted() -> None:
    lost = [open_task(process(silent_seconds=21).pk), open_task(uuid.uuid4(), "queued")]
    kept = [open_task(process(silent_seconds=15).pk), open_task(runner.runner_id())]
    runner.beat()
    assert [state(task) for task in lost] == [("failed", "INTERRUPTED")] * 2
    assert [state(task) for task in kept] == [("running", "")] * 2
    assert Runner.objects.count() == 2


def test_a_process_that_was_silent_itself_does_not_judge_others_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    # The database was away for a minute: nobody could say that they live.
    monkeypatch.setattr(runner, "_last_beat", time.monotonic() - 60)
    monkeypatch.setattr(runner, "_unbroken_since", time.monotonic() - 600)
    task = open_task(process(silent_seconds=60).pk)
    runner.beat()
    assert state(task) == ("running", "")
    monkeypatch.setattr(runner, "_last_beat", time.monotonic() - Runner.BEAT_SECONDS)
    runner.beat()
    assert state(task) == ("running", "")


@pytest.mark.usefixtures("beating")
def test_a_process_that_was_thought_dead_is_back_with_its_next_beat() -> None:
    runner.begin(alone=False)
    Runner.objects.all().delete()
    runner._last_beat -= Runner.BEAT_SECONDS
    runner.beat()
    assert Runner.objects.get().pk == runner.runner_id()


def test_a_task_that_was_thought_dead_ends_as_it_really_did() -> None:
    task = open_task(uuid.uuid4())
    runner.begin(alone=True)
    assert state(Task.objects.get(pk=task.pk)) == ("failed", "INTERRUPTED")
    # Its process only came late: it still has the row as it was.
    task.status = "completed"
    recorder.save(task)
    assert state(task) == ("completed", "")


def test_it_beats_only_every_few_seconds() -> None:
    runner.begin(alone=True)
    Runner.objects.all().delete()
    runner.beat()
    assert not Runner.objects.exists()


@pytest.mark.parametrize("status", ["running", "queued"])
def test_a_cancel_asked_of_another_process_reaches_ours(status: str) -> None:
    asked, other = open_task(runner.runner_id(), status), open_task(runner.runner_id())
    token, others = CancelToken(), CancelToken()
    with running.registered(asked, token), running.registered(other, others):
        Task.objects.filter(pk=asked.pk).update(cancel_requested=True)
        runner.beat()
    assert token.cancelled
    assert not others.cancelled


def test_who_ends_leaves_the_list() -> None:
    runner.begin(alone=False)
    runner.end()
    assert not Runner.objects.exists()
