"""GET /api/tasks/export/"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rest_framework.test import APIClient

from tasks import export
from tasks.models import EXPORTED_CHARACTERS, Task
from tasks.storing import store

pytestmark = pytest.mark.django_db

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def make(number: int = 1, prompt: str = "Explain this.", **fields: Any) -> None:
    values = {"status": "completed", "task_type": "general", "created_at": NEW_YEAR, **fields}
    store([Task(prompt=prompt, **values) for _ in range(number)])


def content(client: APIClient, **query: str) -> str:
    answer: Any = client.get("/api/tasks/export/", query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def rows(client: APIClient, **query: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(content(client, **query), newline="")))


def test_a_task_is_a_line_below_the_names_of_its_columns(client: APIClient) -> None:
    done = NEW_YEAR + timedelta(seconds=2)
    make(service_used="first", result="Grüße, „Welt“", cost_nanodollars=1_500_000, prompt_tokens=7, completed_at=done)
    names, *_ = csv.reader(StringIO(content(client)))
    assert names[:5] == ["id", "prompt", "status", "created_at", "completed_at"]
    (row,) = rows(client)
    assert row["created_at"] == "2026-01-01T00:00:00Z"
    assert (row["service_used"], row["result"], row["error_code"]) == ("first", "Grüße, „Welt“", "")
    assert (row["cost"], row["prompt_tokens"], row["tokens_used"]) == ("0.0015", "7", "7")


def test_as_json_it_is_an_object_like_every_list(client: APIClient) -> None:
    make(3, cost_nanodollars=None, cost_basis="unknown")
    tasks = json.loads(content(client, **{"as": "json"}))["tasks"]
    assert [task["cost"] for task in tasks] == [None] * 3
    assert set(tasks[0]) == set(export.COLUMNS)


def test_an_empty_history_is_a_file_all_the_same(client: APIClient) -> None:
    assert rows(client) == []
    assert content(client).startswith("id,prompt,status,")
    assert json.loads(content(client, **{"as": "json"})) == {"tasks": []}


@pytest.mark.parametrize(("layout", "kind"), [("csv", "text/csv; charset=utf-8"), ("json", "application/json")])
def test_a_browser_keeps_it_under_a_name_with_the_day(client: APIClient, layout: str, kind: str) -> None:
    answer = client.get("/api/tasks/export/", {"as": layout})
    assert answer["Content-Type"].startswith(kind)
    day = datetime.now(UTC).date()
    assert answer["Content-Disposition"] == f'attachment; filename="oxide-tasks-{day}.{layout}"'


INVISIBLE = ["\ufeff=", "\u200b=", "\u200e\u2060@", " =", "\u00a0+", '"=', "\x01-", "\u00ad=", "\u3164="]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", *INVISIBLE])
def test_no_cell_of_the_table_begins_like_a_formula(client: APIClient, begin: str) -> None:
    said = f'{begin}HYPERLINK("http://evil.example","x")'
    make(prompt=said, result=said, client=said, service_used=said[:50], model_used=said, error_detail=said)
    (row,) = rows(client)
    for name in ("prompt", "result", "client", "model_used", "error_detail"):
        assert row[name] == f"'{said}"
    (task,) = json.loads(content(client, **{"as": "json"}))["tasks"]
    assert task["prompt"] == said


def test_quotes_commas_and_lines_stay_in_their_cell(client: APIClient) -> None:
    said = 'One, "two"\r\nthree,=four\n"'
    make(prompt=said)
    assert [row["prompt"] for row in rows(client)] == [said]


def test_a_text_is_as_long_as_a_cell_may_be(client: APIClient) -> None:
    make(prompt="x" * 100_000, result="y" * 100_000)
    (row,) = rows(client)
    assert (len(row["prompt"]), len(row["result"])) == (EXPORTED_CHARACTERS, EXPORTED_CHARACTERS)


@pytest.mark.parametrize("layout", ["csv", "json"])
def test_a_long_history_comes_whole_and_in_order_with_one_query_a_block(
    client: APIClient, layout: str, django_assert_num_queries: Any
) -> None:
    # Many of one moment: blocks end in the midst of them.
    make(export.ROWS + 50)
    make(export.ROWS + 50, created_at=NEW_YEAR - timedelta(hours=1))
    client.get("/api/tasks/history/")
    with django_assert_num_queries(3):
        text = content(client, **{"as": layout})
    found = json.loads(text)["tasks"] if layout == "json" else list(csv.DictReader(StringIO(text, newline="")))
    assert [task["id"] for task in found] == [str(task.pk) for task in Task.objects.all()]


def test_what_is_begun_meanwhile_neither_moves_nor_joins_the_rest(client: APIClient) -> None:
    make(export.ROWS + 10)
    answer: Any = client.get("/api/tasks/export/")
    pieces = iter(answer.streaming_content)
    begun = [next(pieces)]
    make(5, created_at=NEW_YEAR + timedelta(hours=1))
    text = b"".join([*begun, *pieces]).decode()
    ids = [row["id"] for row in csv.DictReader(StringIO(text))]
    assert len(ids) == len(set(ids)) == export.ROWS + 10


def test_only_what_the_filters_find_is_in_it(client: APIClient) -> None:
    make(2, status="failed")
    make(service_used="first", created_at=NEW_YEAR + timedelta(days=1))
    make(prompt="A needle.")
    assert len(rows(client)) == 4
    assert len(rows(client, status="failed")) == 2
    assert len(rows(client, service="first")) == 1
    assert len(rows(client, search="NEEDLE")) == 1
    assert len(rows(client, created_after="2026-01-01T12:00:00Z")) == 1


@pytest.mark.parametrize(
    ("query", "said"), [({"as": "xml"}, "csv, json"), ({"as": "null"}, "as"), ({"limit": "5"}, "limit")]
)
def test_a_query_with_a_mistake_is_refused_by_name(client: APIClient, query: dict[str, str], said: str) -> None:
    answer = client.get("/api/tasks/export/", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert said in answer.json()["detail"]


def test_who_asks_for_its_head_alone_has_nothing_read(client: APIClient, django_assert_num_queries: Any) -> None:
    make()
    client.get("/api/tasks/history/")
    with django_assert_num_queries(0):
        answer = client.head("/api/tasks/export/")
    assert "attachment" in answer["Content-Disposition"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("x;=1+1", "x;'=1+1"),
        ("x; =1+1", "x; '=1+1"),
        ('x;"=1+1";y', 'x;"\'=1+1";y'),
        ("x\t@SUM(1)", "x\t'@SUM(1)"),
        ("x|+1", "x|'+1"),
        ("x;\ufeff-cmd", "x;\ufeff'-cmd"),
        ("x\n=1+1", "x\n'=1+1"),
        ("x;\uff1d1", "x;'\uff1d1"),
        ("A list:\n- one\n- two; three - four\n* five", "A list:\n- one\n- two; three - four\n* five"),
        ("a == b; c = d, e-mail@f", "a == b; c = d, e-mail@f"),
    ],
)
def test_no_part_of_a_cell_begins_like_one_where_cells_are_separated_otherwise(
    client: APIClient, said: str, shown: str
) -> None:
    make(prompt=said)
    (row,) = rows(client)
    assert row["prompt"] == shown
