"""GET /api/tasks/history/ and GET /api/tasks/{id}/"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from apikeys.identity import NOBODY, Identity, Scope
from tasks import history
from tasks.export import ExportQuery, download
from tasks.models import Attempt, Task
from tasks.storing import store
from tests.plans import plans

pytestmark = pytest.mark.django_db

ADA = Identity("ada", "key", frozenset({Scope.EXECUTE}), caller="key:1")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def make(prompt: str = "Explain this.", days: int = 0, **fields: Any) -> Task:
    created_at = NEW_YEAR + timedelta(days=days)
    values = {"status": "completed", "task_type": "general", "created_at": created_at, **fields}
    task = Task(prompt=prompt, **values)
    store([task])
    return task


def found(client: APIClient, **query: Any) -> list[str]:
    return [task["prompt"] for task in client.get("/api/tasks/history/", query).json()["tasks"]]


def test_it_answers_in_the_shape_of_the_contract(client: APIClient) -> None:
    make(completed_at=NEW_YEAR + timedelta(seconds=2))
    body = client.get("/api/tasks/history/?limit=10&offset=0").json()
    assert body["total"] == 1
    assert (
        body["tasks"][0].items()
        >= {
            "prompt": "Explain this.",
            "status": "completed",
            "created_at": "2026-01-01T00:00:00Z",
            "completed_at": "2026-01-01T00:00:02Z",
        }.items()
    )
    assert isinstance(body["tasks"][0]["id"], str)


def test_the_newest_comes_first_and_pages_do_not_overlap(client: APIClient) -> None:
    for day in range(5):
        make(f"day {day}", days=day)
    assert found(client, limit=2) == ["day 4", "day 3"]
    assert found(client, limit=2, offset=2) == ["day 2", "day 1"]
    assert found(client, limit=2, offset=4) == ["day 0"]
    assert client.get("/api/tasks/history/?limit=2&offset=4").json()["total"] == 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "failed"}, ["broke"]),
        ({"service": "ollama_local"}, ["local"]),
        ({"task_type": "translation"}, ["translate"]),
        ({"search": "ROKE"}, ["broke"]),
        ({"search": "deep answer"}, ["local"]),
        ({"search": "%"}, ["100% sure"]),
        ({"search": "_"}, []),
        ({"created_after": "2026-01-03T00:00:00Z"}, ["100% sure", "translate"]),
        ({"created_before": "2026-01-02T00:00:00+00:00"}, ["broke"]),
        ({"status": "completed", "created_after": "2026-01-04T00:00:00Z"}, ["100% sure"]),
    ],
)
def test_filters(client: APIClient, query: dict[str, str], expected: list[str]) -> None:
    make("broke", status="failed")
    make("local", days=1, service_used="ollama_local", result="A deep answer.")
    make("translate", days=2, task_type="translation")
    make("100% sure", days=3)
    assert found(client, **query) == expected
    assert client.get("/api/tasks/history/", query).json()["total"] == len(expected)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "abc"},
        {"limit": str(2**63)},
        {"offset": "-1"},
        {"offset": str(10**30)},
        {"status": "asleep"},
        {"task_type": "poetry"},
        {"created_after": "yesterday"},
        {"created_after": "2026-01-01T00:00:00"},
        {"created_after": "1767225600"},
        {"task_type": "null"},
        {"search": "x" * 201},
        {"ordering": "password"},
    ],
)
def test_a_query_with_a_mistake_is_refused_by_name(client: APIClient, query: dict[str, str]) -> None:
    answer = client.get("/api/tasks/history/", query)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert next(iter(query)) in answer.json()["detail"]


def test_a_long_prompt_is_cut_in_the_list_and_whole_on_its_own(client: APIClient) -> None:
    task = make("x" * 100_000)
    assert len(found(client)[0]) == 500
    assert len(client.get(f"/api/tasks/{task.pk}/").json()["prompt"]) == 100_000


def test_the_number_of_queries_does_not_grow_with_the_page(client: APIClient, django_assert_num_queries: Any) -> None:
    for day in range(30):
        make(days=day)
    client.get("/api/tasks/history/")
    with django_assert_num_queries(3):
        client.get("/api/tasks/history/")


def test_a_task_is_shown_with_its_attempts_in_order(client: APIClient) -> None:
    task = make()
    Attempt.objects.create(task=task, number=2, service="second", status="completed")
    Attempt.objects.create(task=task, number=1, service="first", status="failed", error="refused")
    body = client.get(f"/api/tasks/{task.pk}").json()
    assert [attempt["service"] for attempt in body["attempts"]] == ["first", "second"]
    assert body["attempts"][0]["error"] == "refused"


@pytest.mark.parametrize("task_id", ["01a2060f-e649-74fb-aca1-e65a7bc908e4", "no-such-thing", "1"])
def test_a_task_that_is_not_there_is_404(client: APIClient, task_id: str) -> None:
    answer = client.get(f"/api/tasks/{task_id}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks at the plans of SQLite")
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"offset": "3"},
        {"service": "first"},
        {"task_type": "general"},
        {"service": "first", "task_type": "general", "status": "completed"},
        {"created_after": LONG_AGO},
        {"created_after": LONG_AGO, "service": "first", "limit": "1"},
        {"created_after": LONG_AGO, "status": "failed", "limit": "1"},
        *({"status": status} for status in ("completed", "failed", "cancelled")),
    ],
)
def test_what_a_page_does_not_show_is_passed_over_in_an_index(client: APIClient, query: dict[str, str]) -> None:
    for status in ("completed", "failed", "cancelled"):
        for day in range(2):
            make(days=day, status=status, service_used="first")
    with plans() as found:
        assert client.get("/api/tasks/history/", query).json()["tasks"]
    *looks, rows = [plan for _, plan in found]
    assert looks
    assert all("COVERING INDEX" in look for look in looks), looks
    assert rows.endswith("(id=?)")
    failed = query.get("status") == "failed"
    assert all(("task_failed_by_time" in look) == failed for look in looks), looks


@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks at the plans of SQLite")
@pytest.mark.parametrize(("query", "passes"), [({"limit": "3"}, 1), ({"offset": "1"}, 1), ({"limit": "1"}, 2)])
def test_a_text_is_looked_for_once_where_a_page_shows_all(
    client: APIClient, query: dict[str, str], passes: int
) -> None:
    for day in range(2):
        make("needle", days=day)
    make("hay")
    with plans() as found:
        assert client.get("/api/tasks/history/", {"search": "needle", **query}).json()["total"] == 2
    looks = [plan for sql, plan in found if " LIKE " in sql]
    assert len(looks) == passes
    assert all("task_by_time" in look for look in looks), looks


@pytest.mark.parametrize(("offset", "shown"), [(0, 2), (2, 1), (3, 0), (9, 0)])
def test_the_total_is_the_same_on_each_page_of_a_search(client: APIClient, offset: int, shown: int) -> None:
    for day in range(3):
        make("needle", days=day)
    answer = client.get(f"/api/tasks/history/?search=needle&limit=2&offset={offset}").json()
    assert (answer["total"], len(answer["tasks"])) == (3, shown)


# Of a caller who sees its own tasks alone


def test_a_caller_finds_its_own_tasks_alone() -> None:
    for day, caller in enumerate(("key:1", "key:11", "user:1", None, "key:1")):
        make(f"of {caller}", days=day, caller=caller, status="failed" if day else "completed")
    page = history.page(history.HistoryQuery(), ADA)
    assert ([task["prompt"] for task in page["tasks"]], page["total"]) == (["of key:1"] * 2, 2)
    assert history.page(history.HistoryQuery(status="failed"), ADA)["total"] == 1
    assert history.page(history.HistoryQuery(offset=1, limit=1), ADA)["total"] == 2
    assert history.page(history.HistoryQuery(), NOBODY)["total"] == 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks how SQLite goes about it")
@pytest.mark.parametrize(
    "filters",
    [{}, {"status": "failed"}, {"service": "echo"}, {"task_type": "chat"}, {"offset": 2}, {"created_after": NEW_YEAR}],
)
def test_the_own_history_is_read_from_an_index_of_its_caller(filters: dict[str, Any]) -> None:
    for day in range(3):
        make(days=day, caller="key:1")
    with plans() as found:
        history.page(history.HistoryQuery(**filters), ADA)
        exported: Any = download(ExportQuery(**{k: v for k, v in filters.items() if k != "offset"}), ADA)
        assert list(exported.streaming_content)
    steps = [step for sql, step in found if "owned_by" in sql or '"caller" =' in sql]
    assert len(steps) >= 2
    assert all("task_by_caller (caller=?" in step for step in steps), found


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks how SQLite goes about it")
def test_tasks_of_nobody_take_no_room_in_the_index_of_callers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'task_by_caller'")
        assert cursor.fetchone()[0].endswith('WHERE "caller" IS NOT NULL')
