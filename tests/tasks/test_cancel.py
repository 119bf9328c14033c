"""POST /api/tasks/{id}/cancel/"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from services.models import Service
from tasks.background import Background
from tasks.models import Task
from tests.fake_provider import FakeProvider
from tests.tasks.conftest import Execute
from tests.waiting import wait_until

MakeService = Callable[..., Service]


def test_a_running_task_ends_at_once_and_its_caller_hears_it(
    service: MakeService, execute: Execute, provider: FakeProvider, client: APIClient
) -> None:
    service("slow")
    provider.misbehave("hang")
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(execute(service="slow")))
    caller.start()
    wait_until(lambda: Task.objects.filter(status="running").exists())
    task = Task.objects.get()
    assert client.post(f"/api/tasks/{task.pk}/cancel/").status_code == 202
    caller.join(10)
    assert (answers[0].status_code, answers[0].json()["status"]) == (200, "cancelled")
    task.refresh_from_db()
    assert (task.status, task.error_code) == ("cancelled", "CANCELLED")
    assert task.attempts.get().status == "cancelled"
    wait_until(lambda: provider.hangups == 1)


def test_a_background_task_that_waits_its_turn_never_begins(
    service: MakeService, execute: Execute, provider: FakeProvider, client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_at_a_time = Background(at_once=1)
    for user in ("tasks.views.background", "tasks.cancel.background"):
        monkeypatch.setattr(user, one_at_a_time)
    service("slow")
    provider.misbehave("slow", seconds=0.5)
    first, second = (execute(service="slow", background=True).json()["task_id"] for _ in range(2))
    client.post(f"/api/tasks/{second}/cancel/")
    assert Task.objects.get(pk=second).status == "cancelled"
    wait_until(lambda: Task.objects.get(pk=first).status == "completed")
    assert len(provider.requests) == 1


@pytest.mark.django_db
def test_an_ended_task_cannot_be_cancelled(client: APIClient) -> None:
    task = Task.objects.create(prompt="Done.", task_type="general", status="completed")
    answer = client.post(f"/api/tasks/{task.pk}/cancel/")
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "completed already" in answer.json()["detail"]


@pytest.mark.django_db
def test_a_task_of_another_process_is_marked_for_it(client: APIClient) -> None:
    task = Task.objects.create(prompt="Elsewhere.", task_type="general", status="running")
    assert client.post(f"/api/tasks/{task.pk}/cancel/").status_code == 202
    task.refresh_from_db()
    assert task.cancel_requested
