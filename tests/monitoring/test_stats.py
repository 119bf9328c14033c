"""GET /api/monitoring/stats/"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from services.models import Service
from tests.monitoring.conftest import FAILED, Record


def stats(client: APIClient, **query: str) -> Any:
    answer = client.get("/api/monitoring/stats/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_each_service_is_told_with_its_requests_errors_tokens_and_cost(client: APIClient, record: Record) -> None:
    for _ in range(3):
        record({"service": "first"})
    record({"service": "first", **FAILED}, {"service": "second", "cost_nanodollars": None, "cost_basis": "unknown"})
    body = stats(client)
    first, second = body["services"]["first"], body["services"]["second"]
    assert (first["requests"], first["errors"], first["error_rate"]) == (4, 1, 0.25)
    assert first["tokens"] == {"prompt": 300, "completion": 150, "cached": 0, "reasoning": 0, "total": 450}
    assert (first["cost"], first["requests_of_unknown_cost"]) == (0.006, 0)
    assert (second["requests"], second["errors"], second["cost"], second["requests_of_unknown_cost"]) == (1, 0, 0, 1)
    assert (body["totals"]["requests"], body["totals"]["errors"], body["totals"]["tokens"]["total"]) == (5, 1, 600)
    assert body["totals"]["error_rate"] == 0.2
    assert body["tasks"] == {"total": 4, "completed": 4, "failed": 0, "cancelled": 0}


def test_percentiles_are_those_of_completed_requests(client: APIClient, record: Record) -> None:
    for latency in range(10, 1010, 10):
        record({"latency_ms": float(latency)})
    record(FAILED, status="failed")
    told = stats(client)["services"]["first"]["latency_ms"]
    assert told == {
        "p50": pytest.approx(500, rel=0.102),
        "p95": pytest.approx(950, rel=0.102),
        "p99": pytest.approx(990, rel=0.102),
    }
    assert stats(client)["totals"]["latency_ms"] == told


def test_cancelled_requests_are_no_errors(client: APIClient, record: Record) -> None:
    record({**FAILED, "status": "cancelled"}, status="cancelled")
    record()
    first = stats(client)["services"]["first"]
    assert (first["requests"], first["cancelled"], first["errors"], first["error_rate"]) == (2, 1, 0, 0)


@pytest.mark.parametrize(("window", "seen"), [("1h", 2), ("24h", 3), ("7d", 4)])
def test_only_what_ended_in_the_window_is_counted(
    client: APIClient, record: Record, monkeypatch: pytest.MonkeyPatch, window: str, seen: int
) -> None:
    now = datetime(2026, 3, 10, 12, 32, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    for ago in (timedelta(), timedelta(minutes=59), timedelta(minutes=67), timedelta(hours=26), timedelta(days=8)):
        record(ended=timezone.now() - ago)
    body = stats(client, window=window)
    assert (body["window"], body["until"]) == (window, "2026-03-10T12:32:00Z")
    assert body["services"]["first"]["requests"] == body["tasks"]["total"] == seen


def test_a_day_is_the_window_where_none_is_given(client: APIClient, record: Record) -> None:
    record(ended=timezone.now() - timedelta(hours=20))
    assert stats(client)["services"]["first"]["requests"] == 1


def test_a_service_that_did_nothing_is_there_with_zeros(client: APIClient, service: Callable[..., Service]) -> None:
    service("idle")
    idle = stats(client)["services"]["idle"]
    assert (idle["requests"], idle["error_rate"], idle["cost"]) == (0, 0, 0)
    assert idle["latency_ms"] == {"p50": None, "p95": None, "p99": None}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"window": "2h"}, ["window", "1h, 24h, 7d"]),
        ({"window": ""}, ["window", "1h, 24h, 7d"]),
        ({"windows": "1h"}, ["windows"]),
    ],
)
def test_a_query_with_a_mistake_is_refused_by_name(client: APIClient, query: dict[str, str], said: list[str]) -> None:
    answer = client.get("/api/monitoring/stats/", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert all(word in answer.json()["detail"] for word in said)


def test_the_number_of_queries_does_not_grow(client: APIClient, record: Record, django_assert_num_queries: Any) -> None:
    for number in range(10):
        record({"service": f"service {number}"}, ended=timezone.now() - timedelta(hours=number))
    stats(client)
    with django_assert_num_queries(3):
        stats(client, window="24h")
