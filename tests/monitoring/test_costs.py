"""GET /api/monitoring/costs/"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from monitoring.merging import merge_old
from tasks.storing import prune
from tests.monitoring.conftest import FAILED, Record


def costs(client: APIClient, **query: Any) -> Any:
    answer = client.get("/api/monitoring/costs/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def by_key(body: Any) -> dict[str, float]:
    return {group["key"]: group["cost"] for group in body["groups"] if group["requests"]}


def test_days_come_in_order_and_none_is_left_out(client: APIClient, record: Record) -> None:
    today = timezone.now().astimezone(UTC)
    record(ended=today)
    record(ended=today - timedelta(days=2))
    record(ended=today - timedelta(days=3))
    body = costs(client, days=3)
    assert [group["key"] for group in body["groups"]] == [
        f"{today - timedelta(days=ago):%Y-%m-%d}" for ago in (2, 1, 0)
    ]
    assert [group["cost"] for group in body["groups"]] == [0.002, 0, 0.002]
    assert body["total"]["cost"] == 0.004
    assert (body["group_by"], body["days"], body["currency"]) == ("day", 3, "USD")


def test_a_day_is_one_of_utc(client: APIClient, record: Record) -> None:
    midnight = datetime.combine(timezone.now().astimezone(UTC).date(), datetime.min.time(), UTC)
    record(ended=midnight)
    record(ended=midnight - timedelta(seconds=1))
    assert [group["requests"] for group in costs(client, days=2)["groups"]] == [1, 1]


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        ("service", {"cheap": 0.001, "dear": 0.5}),
        ("model", {"alpha": 0.001, "omega": 0.5}),
        ("task_type", {"chat": 0.001, "translation": 0.5}),
    ],
)
def test_other_groups_come_the_dearest_first(
    client: APIClient, record: Record, group_by: str, expected: dict[str, float]
) -> None:
    record({"service": "cheap", "cost_nanodollars": 1_000_000}, task_type="chat")
    record({"service": "dear", "model": "omega", "cost_nanodollars": 500_000_000}, task_type="translation")
    body = costs(client, group_by=group_by)
    assert by_key(body) == expected
    assert [group["cost"] for group in body["groups"]] == [0.5, 0.001]
    assert body["total"]["cost"] == 0.501


def test_each_group_says_how_sure_its_cost_is(client: APIClient, record: Record) -> None:
    record({"cost_basis": "reported", "cost_nanodollars": 3_000_000})
    for _ in range(2):
        record({"cost_basis": "estimated", "cost_nanodollars": 1_000_000})
    record({"cost_basis": "unknown", "cost_nanodollars": None})
    (group,) = costs(client, group_by="service")["groups"]
    assert (group["requests"], group["cost"], group["tokens"]) == (4, 0.005, 600)
    assert group["by_basis"] == {
        "reported": {"requests": 1, "tokens": 150, "cost": 0.003, "share": 0.25},
        "computed": {"requests": 0, "tokens": 0, "cost": 0, "share": 0},
        "estimated": {"requests": 2, "tokens": 300, "cost": 0.002, "share": 0.5},
        "unknown": {"requests": 1, "tokens": 150, "cost": 0, "share": 0.25},
    }


def test_the_money_of_an_attempt_that_broke_off_counts_too(client: APIClient, record: Record) -> None:
    partial = {"status": "failed", "cost_nanodollars": 7_000_000}
    record({"service": "first", **partial}, {"service": "second"})
    assert by_key(costs(client, group_by="service")) == {"first": 0.007, "second": 0.002}


def test_requests_that_never_had_a_cost_are_left_out(client: APIClient, record: Record) -> None:
    record(FAILED, status="failed")
    assert costs(client, group_by="service")["groups"] == []


def test_costs_outlive_pruning_and_merging(client: APIClient, record: Record) -> None:
    long_ago = timezone.now() - timedelta(days=20)
    record(ended=long_ago, created_at=long_ago)
    before = costs(client)
    prune(timedelta(days=10))
    merge_old()
    assert costs(client) == before
    assert before["total"]["cost"] == 0.002


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"group_by": "user"}, ["group_by", "day, service, model, task_type"]),
        ({"days": "0"}, ["days", "1"]),
        ({"days": "3651"}, ["days", "3650"]),
        ({"days": "many"}, ["days"]),
        ({"day": "1"}, ["day"]),
    ],
)
def test_a_query_with_a_mistake_is_refused_by_name(client: APIClient, query: dict[str, str], said: list[str]) -> None:
    answer = client.get("/api/monitoring/costs/", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert all(word in answer.json()["detail"] for word in said)
