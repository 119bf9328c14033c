from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from services.models import Service
from tasks import admin
from tasks.models import Attempt, Runner, Status, Task
from tests.plans import plans

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = "/admin/tasks/task/"
RUNNERS = "/admin/tasks/runner/"


@pytest.fixture
def few_looked_at(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(admin, "NEWEST", 3)
    return 3


def add_task(prompt: str = "Hello", **fields: Any) -> Task:
    values = {"task_type": "chat", "status": Status.COMPLETED, "service_used": "first", "model_used": "alpha"}
    return Task.objects.create(prompt=prompt, **{**values, **fields})


def add_attempt(task: Task, number: int = 1, **fields: Any) -> Attempt:
    values = {"service": "first", "model": "alpha", "status": Status.COMPLETED}
    return Attempt.objects.create(task=task, number=number, **{**values, **fields})


def page(client: Client, address: str = TASKS, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def view(client: Client, task: Task) -> str:
    return page(client, f"{TASKS}{task.pk}/change/")


def listed(client: Client, **query: str) -> list[str]:
    rows: QuerySet[Task] = client.get(TASKS, query).context["cl"].result_list
    return [row.preview for row in rows]


# The list


def test_the_list_shows_the_newest_first_with_what_matters_of_each(admin_client: Client) -> None:
    now = timezone.now()
    metered = {"prompt_tokens": 1200, "completion_tokens": 34, "cost_nanodollars": 174_000, "cost_basis": "computed"}
    add_task("older", created_at=now - timedelta(hours=1), status=Status.FAILED)
    add_task("newer", started_at=now, completed_at=now + timedelta(seconds=1.5), **metered)
    assert listed(admin_client) == ["newer", "older"]
    shown = page(admin_client)
    for words in ("Completed", "Failed", "Chat", "first", "alpha", "1,234", "$0.000174", "1.50 s"):
        assert f">{words}<" in shown


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cost_nanodollars": None, "cost_basis": "unknown"}, "unknown"),
        ({"cost_nanodollars": 0, "cost_basis": "computed"}, "$0"),
        ({"cost_nanodollars": 2_500_000_000, "cost_basis": "reported"}, "$2.500000"),
        ({"cost_nanodollars": 7, "cost_basis": "computed"}, "$0.000000007"),
        ({"cost_nanodollars": 174_000, "cost_basis": "estimated"}, "about $0.000174"),
        ({"cost_nanodollars": 0, "cost_basis": ""}, "-"),
    ],
)
def test_a_cost_is_money_or_says_why_it_is_not(admin_client: Client, fields: dict[str, Any], words: str) -> None:
    add_task(**fields)
    assert f'<td class="field-cost"><span class="number">{words}</span></td>' in page(admin_client)


def test_a_state_has_its_words_beside_its_colour(admin_client: Client) -> None:
    for status in Status:
        add_task(status=status)
    shown = page(admin_client)
    for tone, words in {"quiet": "Queued", "busy": "Running", "good": "Completed", "bad": "Failed"}.items():
        assert f'<span class="badge badge-{tone}">{words}</span>' in shown


def test_a_long_prompt_is_cut_to_one_line(admin_client: Client) -> None:
    add_task("one\n\ntwo " + "x" * 5_000)
    shown = page(admin_client)
    assert "one two xxx" in shown
    assert "x" * 80 not in shown


def test_the_list_reads_no_long_column_of_any_task(admin_client: Client) -> None:
    add_task(result="a long answer", messages=[{"role": "user"}], decision={"candidates": []})
    shown = admin_client.get(TASKS)
    assert b"Hello" in shown.content
    (row,) = shown.context["cl"].result_list
    # Whatever the page had asked for after all would be here by now.
    long = {"prompt", "messages", "parameters", "decision", "result", "reasoning", "tool_calls", "error_detail"}
    assert row.get_deferred_fields() == long


def test_a_longer_list_takes_no_more_queries(admin_client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert "Hello" in page(admin_client)
        return len(captured)

    add_task()
    page(admin_client)
    few = queries()
    for _ in range(20):
        add_attempt(add_task())
    assert queries() == few


def test_no_more_tasks_are_looked_at_than_the_newest(admin_client: Client, few_looked_at: int) -> None:
    now = timezone.now()
    for hours in range(few_looked_at):
        add_task(f"{hours} hours ago", created_at=now - timedelta(hours=hours))
    assert "Older tasks were not looked at" not in page(admin_client)
    add_task("yesterday", created_at=now - timedelta(days=1))
    add_task("long ago", created_at=now - timedelta(days=8), service_used="rare")
    add_task("longer ago", created_at=now - timedelta(days=9))
    shown = page(admin_client)
    assert "Older tasks were not looked at" in shown
    assert "long ago" not in shown
    assert listed(admin_client, q="long") == []
    assert listed(admin_client, older="7") == ["long ago", "longer ago"]
    assert listed(admin_client, older="7", q="longer") == ["longer ago"]


def test_a_task_is_found_by_its_id_however_old_it_is(admin_client: Client, few_looked_at: int) -> None:
    old = add_task("old", created_at=timezone.now() - timedelta(days=80))
    for _ in range(few_looked_at + 1):
        add_task()
    assert listed(admin_client, q=str(old.pk)) == ["old"]


def test_failed_and_open_tasks_are_found_however_old_they_are(admin_client: Client, few_looked_at: int) -> None:
    long_ago = timezone.now() - timedelta(days=80)
    add_task("failed", status=Status.FAILED, created_at=long_ago)
    add_task("queued", status=Status.QUEUED, created_at=long_ago)
    add_task("running", status=Status.RUNNING, created_at=long_ago + timedelta(days=1))
    for _ in range(few_looked_at + 1):
        add_task()
    assert listed(admin_client, status__exact="failed") == ["failed"]
    assert listed(admin_client, status__exact="queued") == ["queued"]
    assert listed(admin_client, status__exact="open") == ["running", "queued"]


LISTS = [
    {},
    {"p": "2"},
    {"q": "nowhere to be found"},
    {"service": "rare"},
    {"task_type__exact": "analysis"},
    {"older": "7"},
    {"older": "7", "service": "rare", "q": "nowhere"},
    *({"status__exact": status} for status in ("open", *Status.values)),
]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks at the plans of SQLite")
def test_no_list_reads_the_whole_history(admin_client: Client, few_looked_at: int) -> None:
    Service.objects.create(name="rare", type="builtin")
    for days in range(20):
        add_task(created_at=timezone.now() - timedelta(days=days), status=Status.values[days % 5])
    for query in LISTS:
        with plans() as found:
            page(admin_client, **query)
        assert found
        for sql, plan in found:
            searches = plan.startswith("SEARCH")
            leafs = "INDEX" in plan and "LIMIT" in sql and " LIKE " not in sql
            assert searches or leafs, f"{query}: {plan}: {sql}"


def test_tasks_are_filtered_by_status_type_and_service(admin_client: Client) -> None:
    Service.objects.create(name="second", type="builtin")
    add_task("a", status=Status.FAILED)
    add_task("b", task_type="translation")
    add_task("c", service_used="second")
    assert listed(admin_client, status__exact="failed") == ["a"]
    assert listed(admin_client, task_type__exact="translation") == ["b"]
    assert listed(admin_client, service="second") == ["c"]


def test_a_task_is_found_by_its_id_and_by_words_of_its_prompt(admin_client: Client) -> None:
    task = add_task("The quick brown fox")
    add_task("Something else", result="quick")
    assert listed(admin_client, q=str(task.pk)) == ["The quick brown fox"]
    assert listed(admin_client, q=f" {task.pk.hex} ") == ["The quick brown fox"]
    assert listed(admin_client, q="fox QUICK") == ["The quick brown fox"]
    assert listed(admin_client, q=str(uuid.uuid4())) == []


def test_a_failed_task_says_why_in_the_list(admin_client: Client) -> None:
    add_task(status=Status.FAILED, error_code="TIMEOUT")
    assert '<span class="why">TIMEOUT</span>' in page(admin_client)


# Cancelling


def cancel(client: Client, *tasks: Task) -> dict[str, str]:
    form = {"action": "cancel_now", "_selected_action": [task.pk for task in tasks]}
    answer = client.post(TASKS, form, follow=True)
    return {message.message: message.level_tag for message in answer.context["messages"]}


def test_open_tasks_are_cancelled_from_the_list_and_each_says_what_came_of_it(admin_client: Client) -> None:
    running, done = add_task(status=Status.RUNNING), add_task()
    said = cancel(admin_client, running, done)
    assert said == {
        f"Task {done.pk} is completed already. There is nothing left to cancel.": "warning",
        f"Task {running.pk} was told to end. It is cancelled within a second or so.": "success",
    }
    running.refresh_from_db()
    assert running.cancel_requested


def test_of_many_tasks_the_end_is_only_counted(admin_client: Client) -> None:
    tasks = [add_task(status=Status.RUNNING) for _ in range(23)]
    said = list(cancel(admin_client, *tasks))
    assert len(said) == 21
    assert said[-1].startswith("And 3 more, 3 of which went well.")


def test_who_may_only_look_at_tasks_is_not_offered_to_cancel_them(client: Client, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("guest", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_task"))
    client.force_login(user)
    task = add_task(status=Status.RUNNING)
    assert "cancel_now" not in page(client)
    assert cancel(client, task) == {}
    task.refresh_from_db()
    assert not task.cancel_requested


# One task


def test_a_task_is_shown_whole_with_its_attempts(admin_client: Client) -> None:
    task = add_task(
        "Line one\nLine two",
        confidence=2 / 3,
        messages=[{"role": "user", "content": "Grüße"}],
        decision={"candidates": [{"service": "first"}], "skipped": []},
        result="The answer",
        error_code="TIMEOUT",
        error_detail="It took too long.",
    )
    add_attempt(task, 1, status=Status.FAILED, error="first is away", error_kind="connect", latency_ms=12.3)
    add_attempt(task, 2, service="second", cost_nanodollars=None, cost_basis="unknown", rule="rule-7", latency_ms=2000)
    shown = view(admin_client, task)
    assert '<pre class="kept">Line one\nLine two</pre>' in shown
    assert "[\n  {\n    &quot;role&quot;: &quot;user&quot;,\n    &quot;content&quot;: &quot;Grüße&quot;" in shown
    for words in (
        "The answer",
        "66.7 %",
        "TIMEOUT",
        "It took too long.",
        "first is away",
        "12 ms",
        "rule-7",
        "2.00 s",
        "unknown",
    ):
        assert words in shown


def test_every_column_of_a_task_can_be_read_on_its_page(admin_client: Client) -> None:
    shown = view(admin_client, add_task())
    summed_up = {
        "usage_reported": "counted by",
        "cost_nanodollars": "cost",
    }
    for column in Task._meta.concrete_fields:
        label = summed_up.get(column.name, column.name.removesuffix("_at").replace("_", " "))
        assert f"<label>{label.capitalize()}" in shown, column.name


@pytest.mark.parametrize("age", ["8", "x", "1" * 5_000])
def test_an_age_that_is_not_offered_is_none(admin_client: Client, age: str) -> None:
    add_task("new")
    assert listed(admin_client, older=age) == ["new"]


def test_what_tasks_hold_cannot_become_markup(admin_client: Client) -> None:
    evil = "<script>alert(1)</script>"
    task = add_task(evil, result=evil, parameters={"extra": evil}, service_used=evil, model_used=evil)
    add_attempt(task, error=evil)
    assert evil not in view(admin_client, task)
    assert evil not in page(admin_client)


def test_a_very_long_answer_is_cut_and_says_so(admin_client: Client) -> None:
    shown = view(admin_client, add_task(result="x" * (admin.SHOWN_CHARACTERS + 1_234)))
    assert "… and 1,234 more characters, which the API has." in shown
    assert "x" * (admin.SHOWN_CHARACTERS + 1) not in shown


# History is not written here


@pytest.mark.parametrize("address", ["add/", "{}/delete/"])
def test_tasks_cannot_be_added_or_deleted(admin_client: Client, address: str) -> None:
    task = add_task()
    assert admin_client.get(TASKS + address.format(task.pk)).status_code == 403
    assert admin_client.post(TASKS + address.format(task.pk), {"post": "yes"}).status_code == 403
    assert Task.objects.get() == task


def test_tasks_and_their_attempts_cannot_be_changed(admin_client: Client) -> None:
    task = add_task()
    attempt = add_attempt(task)
    form = {"prompt": "Another", "attempts-TOTAL_FORMS": 1, "attempts-INITIAL_FORMS": 1}
    form |= {"attempts-0-id": attempt.pk, "attempts-0-task": task.pk, "attempts-0-service": "x"}
    assert admin_client.post(f"{TASKS}{task.pk}/change/", form).status_code == 403
    assert admin_client.post(TASKS, {"action": "delete_selected", "_selected_action": [task.pk], "post": "yes"})
    assert (Task.objects.get().prompt, Attempt.objects.get().service) == ("Hello", "first")


def test_attempts_have_no_page_of_their_own(admin_client: Client) -> None:
    assert admin_client.get("/admin/tasks/attempt/").status_code == 404


def test_runners_are_listed_with_whether_they_still_work(admin_client: Client) -> None:
    Runner.objects.create(host="here", pid=1)
    Runner.objects.create(host="there", pid=2, seen_at=timezone.now() - 2 * Runner.LOST_AFTER)
    shown = page(admin_client, RUNNERS)
    assert shown.index("here:1") < shown.index("works") < shown.index("there:2") < shown.index("not heard of any more")
    assert admin_client.get(f"{RUNNERS}add/").status_code == 403
