"""GET /api/monitoring/series/"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from monitoring import machine, pulse
from monitoring.merging import merge_old
from tests.monitoring.conftest import FAILED, Record

NOW = datetime(2026, 3, 10, 12, 32, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    fresh = machine.Machine()
    for user in ("series", "pulse"):
        monkeypatch.setattr(f"monitoring.{user}.machine", fresh)


def points(client: APIClient) -> Any:
    answer = client.get("/api/monitoring/series/")
    assert answer.status_code == 200, answer.content
    return answer.json()["points"]


@pytest.mark.django_db
def test_an_hour_is_sixty_minutes_and_ends_with_the_one_that_goes_on(client: APIClient) -> None:
    body = client.get("/api/monitoring/series/").json()
    assert (body["since"], body["until"]) == ("2026-03-10T11:33:00Z", "2026-03-10T12:32:20Z")
    times = [point["at"] for point in body["points"]]
    assert (len(times), times[0], times[-1]) == (60, "2026-03-10T11:33:00Z", "2026-03-10T12:32:00Z")
    assert {point["tasks"] for point in body["points"]} == {0}
    assert body["points"][0]["latency_ms"] == {"p50": None, "p95": None, "p99": None}


def test_each_minute_has_the_tasks_that_ended_in_it_and_what_they_took(client: APIClient, record: Record) -> None:
    for _ in range(3):
        record({"latency_ms": 400.0}, ended=NOW)
    record({"service": "first", **FAILED}, {"service": "second"}, ended=NOW)
    record(FAILED, status="failed", cost_basis="", ended=NOW - timedelta(minutes=2))
    record(ended=NOW - timedelta(minutes=59, seconds=19))
    record(ended=NOW - timedelta(minutes=60))  # of the minute before all
    found = points(client)
    last = found[-1]
    assert (last["tasks"], last["failed"], last["tokens"], last["cost"]) == (4, 0, 600, 0.008)
    assert last["latency_ms"]["p50"] == pytest.approx(400, rel=0.102)
    assert (found[-3]["tasks"], found[-3]["failed"], found[-3]["latency_ms"]["p50"]) == (1, 1, None)
    assert found[0]["tasks"] == 1
    assert (last["requests"], last["requests_of_unknown_cost"], found[-3]["requests"]) == (4, 0, 0)
    assert sum(point["tasks"] for point in found) == 6


def test_each_minute_says_of_how_many_requests_the_cost_is_unknown(client: APIClient, record: Record) -> None:
    unknown = {"cost_basis": "unknown", "cost_nanodollars": None}
    for basis in ({}, unknown, unknown):
        record(basis, ended=NOW)
    record({"service": "first", **FAILED}, unknown, ended=NOW)
    last = points(client)[-1]
    assert (last["tasks"], last["cost"]) == (4, 0.002)
    assert (last["requests"], last["requests_of_unknown_cost"]) == (4, 3), "what failed cost nothing"


def test_merging_leaves_the_hour_as_it_is(client: APIClient, record: Record) -> None:
    for ago in range(60):
        record(ended=NOW - timedelta(minutes=ago))
    before = points(client)
    merge_old()
    assert points(client) == before
    assert [point["tasks"] for point in before] == [1] * 60


@pytest.mark.django_db
def test_the_machine_is_told_by_the_mean_of_a_minute_since_the_process_began(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for percent in (10.0, 20.0, 60.0):
        seen = {"cpu_percent": percent, "memory_percent": 50.0}
        monkeypatch.setattr("monitoring.system.current", lambda seen=seen: seen)
        pulse.tell_metrics()
    *earlier, last = points(client)
    assert (last["cpu_percent"], last["memory_percent"]) == (30.0, 50.0)
    assert {point["cpu_percent"] for point in earlier} == {None}


def test_no_more_than_an_hour_of_the_machine_is_kept() -> None:
    kept: Any = machine.Machine()
    for minute in range(200):
        kept.note(minute, {"cpu_percent": 1.0, "memory_percent": 1.0})
    assert sorted(kept.by_minute()) == list(range(140, 200))


def test_the_number_of_queries_does_not_grow(client: APIClient, record: Record, django_assert_num_queries: Any) -> None:
    for number in range(10):
        record({"service": f"service {number}"}, ended=NOW - timedelta(minutes=number))
    points(client)
    with django_assert_num_queries(2):
        points(client)
