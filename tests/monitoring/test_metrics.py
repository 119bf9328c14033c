"""GET /api/monitoring/metrics/"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from services import health
from services.availability import bulkhead
from services.breaker import breakers
from services.models import Service
from tasks.models import Task
from tasks.storing import interrupt, prune, store

Make = Callable[..., Service]


def metrics(client: APIClient) -> Any:
    answer = client.get("/api/monitoring/metrics/")
    assert answer.status_code == 200
    return answer.json()


def task(status: str) -> Task:
    return Task(prompt="Fine.", task_type="general", status=status)


@pytest.mark.django_db
def test_it_answers_in_the_shape_of_the_contract(client: APIClient) -> None:
    body = metrics(client)
    assert body["services"].keys() >= {"total", "healthy", "unhealthy"}
    assert body["tasks"].keys() >= {"total", "running", "completed", "failed"}
    assert {type(value) for value in [*body["services"].values(), *body["tasks"].values()]} == {int}
    kinds = {"cpu_percent": float, "memory_percent": float, "memory_used_mb": int, "memory_total_mb": int}
    assert {name: type(body["system"][name]) for name in kinds} == kinds


@pytest.mark.django_db
def test_tasks_are_counted_by_status_and_add_up_to_the_history(client: APIClient) -> None:
    store([task(status) for status in ("queued", "running", "running", "completed", "failed", "cancelled")])
    counted = {"total": 6, "queued": 1, "running": 2, "completed": 1, "failed": 1, "cancelled": 1}
    assert metrics(client)["tasks"] == counted
    assert client.get("/api/tasks/history/").json()["total"] == 6
    interrupt(Task.objects.filter(status="running"))
    assert metrics(client)["tasks"] == {**counted, "running": 0, "failed": 3}


@pytest.mark.django_db
def test_pruned_tasks_are_counted_no_longer(client: APIClient) -> None:
    from datetime import timedelta

    store([task("completed"), task("running")])
    prune(timedelta(seconds=-1))
    assert metrics(client)["tasks"]["total"] == 1


def test_services_are_healthy_once_they_were_seen_to_be(client: APIClient, service: Make) -> None:
    first = service("first")
    service("second", enabled=False)
    expected = {"total": 2, "healthy": 0, "unhealthy": 2, "enabled": 1, "unchecked": 2}
    assert metrics(client)["services"] == expected
    health.check(first.config)
    assert metrics(client)["services"] == {**expected, "healthy": 1, "unhealthy": 1, "unchecked": 1}


def test_calls_in_flight_are_told_by_service(client: APIClient, service: Make) -> None:
    service("first")
    service("second")
    with bulkhead.enter("first", 5), bulkhead.enter("first", 5):
        assert metrics(client)["in_flight"] == {"first": 2, "second": 0}
    assert metrics(client)["in_flight"] == {"first": 0, "second": 0}


def test_it_reads_the_database_once(client: APIClient, service: Make, django_assert_num_queries: Any) -> None:
    service("first")
    metrics(client)
    with django_assert_num_queries(1):
        metrics(client)


def test_breakers_are_told_by_service(client: APIClient, service: Make) -> None:
    service("first")
    service("second")
    for _ in range(5):
        breakers["second"].record_failure()
    assert metrics(client)["breakers"] == {"first": "closed", "second": "open"}
