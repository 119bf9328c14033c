from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apikeys.models import ClientKey, ProviderKey
from monitoring import front_page
from monitoring.models import Rollup, minute_of
from monitoring.progress import tracker
from routing.models import DefaultRoute, RoutingRule
from services import health
from services.breaker import breakers
from services.models import Service
from snapshots import snapshot
from tasks.models import Task, TaskCount
from tests import canary
from tests.fake_provider import FakeProvider
from tests.people import make_user

Make = Callable[..., Service]

pytestmark = pytest.mark.django_db(transaction=True)


def texts() -> list[str]:
    return [step.text for step in front_page.read().steps]


def links() -> list[str]:
    return [step.page for step in front_page.read().steps]


# What to do next


def test_on_the_first_day_it_says_to_add_a_service(db: None) -> None:
    page = front_page.read()
    assert page.title == "There is no model to ask yet"
    assert [(step.page, step.action) for step in page.steps] == [("/admin/services/service/add/", "Add a service")]


def test_services_that_are_all_switched_off_are_to_be_switched_on(service: Make) -> None:
    service("first", enabled=False)
    assert front_page.read().title == "All services are switched off"
    assert links() == ["/admin/services/service/"]


def test_while_nobody_can_be_asked_each_service_says_what_it_lacks_and_where_to_act(service: Make) -> None:
    service("paid", api_key_env="NOBODY_SETS_THIS_KEY")
    assert front_page.read().title == "No model can be asked yet"
    away = service("away", api="ollama", base_url="http://127.0.0.1:9", model="llama2")
    health.check(away.config)
    assert front_page.read().title == "No service answers at the moment"
    ill, keyless = texts()
    assert ill.startswith("away is currently unhealthy: cannot be reached")
    assert ill.endswith("Start it with: ollama run llama2.")
    assert keyless == "paid needs a key: enter it, or set NOBODY_SETS_THIS_KEY and restart."
    assert links() == ["/admin/services/service/?q=away", "/admin/apikeys/providerkey/add/?service=paid"]


def test_the_first_step_is_the_one_that_the_dashboard_tells(service: Make, client: Client) -> None:
    def first() -> tuple[str, str]:
        page = front_page.read()
        return page.title, page.steps[0].text

    def told() -> tuple[str, str]:
        step = client.get("/api/services/").json()["next_step"]
        return step["title"], step["text"]

    assert first() == told()
    service("a_keyless_one", api_key_env="NOBODY_SETS_THIS_KEY")
    assert first() == told()
    health.check(service("far_off", base_url="http://127.0.0.1:9").config)
    assert first() == told()
    health.check(service("then_ollama", api="ollama", base_url="http://127.0.0.1:9", model="llama2").config)
    assert first() == told()
    Service.objects.update(enabled=False)
    snapshot.forget_all()
    assert first() == told() == ("All services are switched off", "Switch at least one service on.")


def test_a_service_without_a_key_is_no_trouble_where_another_can_be_asked(service: Make) -> None:
    health.check(service("good").config)
    service("paid", api_key_env="NOBODY_SETS_THIS_KEY")
    page = front_page.read()
    assert (page.title, page.steps) == ("1 of 2 services can be asked", ())
    assert [line.step.action if line.step else "" for line in page.services] == ["", "Enter its key"]


def test_a_service_in_a_bad_state_is_said_to_be_asked_last(service: Make) -> None:
    health.check(service("good").config)
    health.check(service("away", base_url="http://127.0.0.1:9").config)
    assert front_page.read().title == "2 of 2 services can be asked, 1 of them last"
    assert [text.partition(":")[0] for text in texts()] == ["away is currently unhealthy"]


def test_a_key_that_is_refused_is_to_be_entered_again_where_it_is_kept(
    service: Make, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "the-environment-s-key")
    provider.misbehave("refuse", why="auth")
    ProviderKey.store("stored", canary.provider_key("stored"))
    for config in (service("set", api_key_env="SOME_KEY").config, service("stored").config):
        health.check(config)
    assert texts() == [
        "set does not take the key in SOME_KEY: set another, and restart.",
        "stored does not take its key.",
    ]
    assert links() == ["", "/admin/apikeys/providerkey/?q=stored"]


# The figures


def test_it_tells_services_tasks_cost_and_rules(admin_client: Client, service: Make) -> None:
    first, second = service("first"), service("second")
    health.check(first.config)
    while not breakers["second"].blocked():
        breakers["second"].admit()
        breakers["second"].record_failure()
    RoutingRule.objects.create(id="a", task_type="chat", service=first)
    RoutingRule.objects.create(id="b", task_type="chat", service=second)
    DefaultRoute.objects.create(service=first, position=1)
    key = {"service": "first", "model": "alpha", "task_type": "chat", "status": "completed", "cost_basis": "computed"}
    today = minute_of(timezone.now())
    Rollup.objects.create(period=today, **key, tasks=3, attempts=4, cost_nanodollars=1_230_000_000)
    Rollup.objects.create(period=today - 2 * 1440, **key, tasks=50, attempts=50, cost_nanodollars=10**12)
    TaskCount.objects.create(status="running", service="", task_type="chat", number=2)
    TaskCount.objects.create(status="completed", service="first", task_type="chat", number=1_000_000)

    page = front_page.read()
    assert (page.tasks.running, page.tasks.today["completed"], page.tasks.stored) == (2, 3, 1_000_002)
    assert (page.rules.number, page.rules.waiting, page.rules.default) == (2, 1, ("first",))

    shown = admin_client.get("/admin/").content.decode()
    database = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    for words in ("healthy", "s more: called last", "$1.23", "1,000,002 are stored in all", database, settings.VERSION):
        assert words in shown


def test_of_tasks_that_run_it_says_how_many_have_no_place_yet(admin_client: Client, service: Make) -> None:
    tasks = [Task(status="running") for _ in range(3)]
    for task in tasks:
        tracker.begin(task)
    for task in tasks[:2]:
        tracker.note_wait(str(task.pk))
    try:
        assert "2 of those running wait for a free place" in admin_client.get("/admin/").content.decode()
    finally:
        tracker.clear()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("unknown", 0)], "unknown"),
        ([("unknown", 0), ("computed", 2_000_000_000)], "at least $2.00"),
        ([("computed", 0)], "$0"),
        ([], "$0"),
    ],
)
def test_a_cost_that_nobody_knows_is_not_told_as_nothing(
    admin_client: Client, rows: list[tuple[str, int]], told: str
) -> None:
    for basis, cost in rows:
        key = {"service": "first", "model": "alpha", "task_type": "chat", "status": "completed", "cost_basis": basis}
        Rollup.objects.create(period=minute_of(timezone.now()), **key, tasks=1, attempts=1, cost_nanodollars=cost)
    shown = admin_client.get("/admin/").content.decode()
    assert f'<p class="large number">{told}</p>' in shown


def test_of_a_key_the_front_page_shows_no_more_than_the_preview(
    admin_client: Client, service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", canary.provider_key("first", start="sk-a-"))
    service("first", api_key_env="SOME_KEY")
    shown = admin_client.get("/admin/").content.decode()
    assert "there: sk-a...xyz" in shown
    assert canary.MARK not in shown


def test_the_front_page_takes_few_queries_and_reads_no_task(admin_client: Client, service: Make) -> None:
    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get("/admin/").status_code == 200
        return [query["sql"] for query in captured]

    service("s0")
    queries()
    few = queries()
    for number in range(1, 6):
        service(f"s{number}")
    queries()
    assert len(queries()) == len(few) <= 15
    assert not [sql for sql in few if '"tasks_task"' in sql or '"tasks_attempt"' in sql]


# The site


def test_lists_stand_in_the_order_and_in_the_groups_of_what_they_are_for(admin_client: Client) -> None:
    groups = admin_client.get("/admin/").context["app_list"]
    assert [(group["name"], [model["object_name"] for model in group["models"]]) for group in groups] == [
        ("Services", ["Service", "ProviderKey"]),
        ("Routing", ["RoutingRule", "DefaultRoute"]),
        ("History", ["Task", "Runner"]),
        ("Access", ["ClientKey", "User"]),
    ]


def test_every_list_that_is_empty_says_what_to_do_next(admin_client: Client) -> None:
    groups = admin_client.get("/admin/").context["app_list"]
    lists = [model["admin_url"] for group in groups for model in group["models"]]
    told = {}
    for address in lists:
        page = admin_client.get(address)
        if not page.context["cl"].result_count:
            told[address] = re.findall(r'<p class="none">(.*?)</p>', page.content.decode())
    assert {"/admin/services/service/", "/admin/routing/defaultroute/", "/admin/tasks/task/"} <= set(told)
    assert [address for address, texts in told.items() if not any(texts)] == []


def test_moments_are_told_to_the_second_in_utc(admin_client: Client) -> None:
    assert re.search(r">\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC<", admin_client.get("/admin/auth/user/").content.decode())


def test_no_page_may_load_anything_from_elsewhere_or_run_what_stands_in_it(admin_client: Client, client: Any) -> None:
    pages = ["/admin/", "/admin/tasks/task/", "/admin/services/service/add/", "/admin/apikeys/clientkey/add/"]
    answers = [admin_client.get(page) for page in pages] + [client.get("/admin/login/")]
    for answer in answers:
        assert answer.status_code == 200
        assert "script-src 'self';" in answer["Content-Security-Policy"]
        assert "'unsafe-" not in answer["Content-Security-Policy"]
        shown = answer.content.decode()
        assert "<script>" not in shown
        assert "<style" not in shown
        assert " style=" not in shown


def test_who_may_look_at_services_alone_sees_no_more_on_the_front_page(client: Client, django_user_model: Any) -> None:
    Service.objects.create(name="echo", type="builtin")
    user = django_user_model.objects.create_user("guest", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_service"))
    client.force_login(user)
    shown = client.get("/admin/").content.decode()
    assert "echo" in shown
    for hidden in ("Check all now", "Ended today", "Rules in force"):
        assert hidden not in shown


FORMS = {
    "services/service": "service",
    "routing/routingrule": "rule",
    "routing/defaultroute": "place",
    "apikeys/providerkey": "key",
    "apikeys/clientkey": "program",
    "auth/user": "user",
}


def test_every_field_that_can_be_edited_says_what_it_is_for(admin_client: Client, service: Make) -> None:
    first = service("first")
    rows = {
        "service": first,
        "rule": RoutingRule.objects.create(id="a", task_type="chat", service=first),
        "place": DefaultRoute.objects.create(service=first, position=1),
        "key": ProviderKey.objects.create(service="first", ciphertext="x"),
        "program": ClientKey.objects.create(name="program", prefix="ox-1"),
        "user": make_user("ada"),
    }
    for place, row in FORMS.items():
        for address in ("add", f"{rows[row].pk}/change"):
            form = admin_client.get(f"/admin/{place}/{address}/").context["adminform"].form
            silent = [name for name, field in form.fields.items() if not field.help_text]
            assert silent == [], f"{place}/{address}"
