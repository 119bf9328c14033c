"""Several processes on PostgreSQL and Redis: what a user must not notice, and what an operator must."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide, free_port
from tests.servers import PASSWORD, Postgres, Redis
from tests.waiting import wait_until

# One process of pytest-xdist runs them all: the servers are started once, and the machine is not overrun.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scaled")]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


class Scaled:
    """Oxide on a database of its own. Each request takes a new connection: the kernel deals them out to the workers."""

    def __init__(self, live: LiveOxide, postgres: Postgres, name: str) -> None:
        self.live = live
        self.postgres = postgres
        self.name = name

    def start(self, workers: int = 2) -> None:
        self.live.start("--workers", str(workers))

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: Any = None) -> requests.Response:
        return self.ask("POST", path, json=body)

    def execute(self, **body: Any) -> requests.Response:
        return self.post("/api/tasks/execute/", {"prompt": "What is quantum computing?", **body})

    def submit(self, service: str) -> str:
        """A task that nobody waits for; its id."""
        return str(self.execute(service=service, background=True).json()["task_id"])

    def count(self, status: str) -> int:
        return int(self.get("/api/tasks/history/", params={"status": status}).json()["total"])

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.postgres.connect(self.name) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def pids(self) -> set[int]:
        """The workers that say that they live."""
        return {pid for (pid,) in self.rows("SELECT pid FROM tasks_runner")}

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, self.live.url + path, timeout=60, **options)


@pytest.fixture
def scaled(live: LiveOxide, postgres: Postgres, redis: Redis) -> Iterator[Scaled]:
    name = f"oxide_{uuid.uuid4().hex}"
    with postgres.database(name) as url:
        live.environment |= {"DATABASE_URL": url, "REDIS_URL": redis.url, "OXIDE_DRAIN_SECONDS": "1"}
        live.config["services"]["echo"]["max_concurrency"] = 100
        yield Scaled(live, postgres, name)
        live.kill()


# What a user sees


def test_a_first_task_and_its_history_on_postgresql(scaled: Scaled, provider: FakeProvider) -> None:
    scaled.live.declare(
        "mine", provider.base_url("openai"), api="openai", price={"input_per_million": 2, "output_per_million": 10}
    )
    scaled.start(workers=1)
    for prompt in ("save 100% today", "save 100 today", "snake_case", "snakeXcase", "Ünïcode \\ 'quoted' 🙂"):
        assert scaled.execute(prompt=prompt, service="echo").json()["result"] == prompt
    body = scaled.execute(task_type="translation").json()
    assert (body["status"], body["service_used"], body["cost_basis"]) == ("completed", "mine", "computed")
    provider.misbehave("status", status=500, body="no")
    assert scaled.execute(service="mine").status_code == 502

    def found(**query: str) -> list[str]:
        page = scaled.get("/api/tasks/history/", params=query).json()
        assert page["total"] == len(page["tasks"])
        return [task["prompt"] for task in page["tasks"]]

    assert found(search="100%") == ["save 100% today"]
    assert found(search="e_c") == ["snake_case"]
    assert found(search="SAVE") == ["save 100 today", "save 100% today"]
    assert found(search="ïcode \\ 'Q") == ["Ünïcode \\ 'quoted' 🙂"]
    assert found(search="many states at once") == ["What is quantum computing?"]  # in the result
    assert len(found(status="failed")) == 1
    assert len(found(service="echo")) == 5
    assert len(found(task_type="translation")) == 1
    task = scaled.get(f"/api/tasks/{body['task_id']}/").json()
    assert [attempt["service"] for attempt in task["attempts"]] == ["mine"]
    assert found(created_before=task["created_at"], search="snake") == ["snakeXcase", "snake_case"]
    assert found(created_after="2100-01-01T00:00:00Z") == []
    second = scaled.get("/api/tasks/history/", params={"limit": 1, "offset": 1}).json()
    assert (second["total"], second["tasks"][0]["id"]) == (7, body["task_id"])
    # PostgreSQL takes no NUL, not even to look for it.
    assert scaled.get("/api/tasks/history/", params={"search": "\0"}).status_code == 400


def test_two_workers_share_the_load_and_drain_together(scaled: Scaled, provider: FakeProvider) -> None:
    scaled.live.declare("slow", provider.base_url("openai", service="slow"), api="openai", max_concurrency=50)
    scaled.live.environment["OXIDE_DRAIN_SECONDS"] = "30"
    provider.misbehave("slow", service="slow", seconds=2)
    scaled.start()
    # From the first moment on: a socket that nobody reads from would swallow some of them.
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(lambda _: scaled.execute(service="echo").status_code, range(100)))
        assert answers == [200] * 100
        runners = dict(scaled.rows("SELECT runner, count(*) FROM tasks_task GROUP BY runner"))
        assert len(runners) == 2
        assert min(runners.values()) >= 10

        slow = [callers.submit(scaled.execute, service="slow") for _ in range(20)]
        wait_until(lambda: provider.calls_to("slow") == 20)
        assert scaled.live.stop() == 0
        assert [answer.result().json()["status"] for answer in slow] == ["completed"] * 20


def test_a_cancel_reaches_the_worker_that_has_the_task(scaled: Scaled, provider: FakeProvider) -> None:
    scaled.live.declare("slow", provider.base_url("openai", service="slow"), api="openai")
    provider.misbehave("hang", service="slow")
    scaled.start()
    asked_of_the_other = 0
    for _ in range(30):
        task_id = scaled.submit("slow")
        wait_for(scaled, task_id, "running")
        assert scaled.post(f"/api/tasks/{task_id}/cancel/").status_code == 202
        wait_for(scaled, task_id, "cancelled")
        # Where the worker with the task was asked itself, it needs no note in the database.
        ((noted,),) = scaled.rows("SELECT cancel_requested FROM tasks_task WHERE id = %s", task_id)
        asked_of_the_other += noted
        if asked_of_the_other == 2:
            break
    assert asked_of_the_other == 2
    wait_until(lambda: provider.hangups == len(provider.requests_to("slow")) - health_checks(provider, "slow"))


def wait_for(scaled: Scaled, task_id: str, status: str) -> None:
    wait_until(lambda: scaled.get(f"/api/tasks/{task_id}/").json()["status"] == status)


def health_checks(provider: FakeProvider, service: str) -> int:
    return sum(request.method == "GET" for request in provider.requests_to(service))


def test_every_worker_follows_a_change_and_no_request_fails_meanwhile(scaled: Scaled, provider: FakeProvider) -> None:
    for name in ("first", "second"):
        scaled.live.declare(name, provider.base_url("openai", service=name), api="openai")
    rule = {"id": "r", "task_type": "general", "service": "first", "priority": 1}
    scaled.live.config["routing"]["rules"] = [rule]
    scaled.start()
    with asking_all_the_time(lambda: scaled.execute(task_type="general")) as answers:
        wait_until(lambda: len(answers) >= 20)
        assert {answer.json()["service_used"] for answer in answers} == {"first"}
        assert scaled.ask("PATCH", "/api/routing/rules/r/", json={"service": "second"}).ok
        seen = len(answers)
        wait_until(lambda: len(answers) >= seen + 30 and used(answers[-30:]) == {"second"})
        # Nor does it matter who made the change.
        with scaled.postgres.connect(scaled.name) as connection:
            connection.execute("UPDATE services_service SET model = 'beta' WHERE name = 'second'")
            connection.execute("UPDATE snapshots_revision SET number = number + 1")
        seen = len(answers)
        wait_until(
            lambda: len(answers) >= seen + 30 and {answer.json()["model_used"] for answer in answers[-30:]} == {"beta"}
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len(scaled.rows("SELECT DISTINCT runner FROM tasks_task")) == 2


def used(answers: list[requests.Response]) -> set[str]:
    return {answer.json()["service_used"] for answer in answers}


@contextmanager
def asking_all_the_time(ask: Callable[[], requests.Response], callers: int = 2) -> Iterator[list[requests.Response]]:
    """Whatever comes back is added to the list; what fails to come back at all is raised at the end."""
    answers: list[requests.Response] = []
    stopping = threading.Event()

    def keep_asking() -> None:
        while not stopping.is_set():
            answers.append(ask())

    with ThreadPoolExecutor(callers) as pool:
        asking = [pool.submit(keep_asking) for _ in range(callers)]
        try:
            yield answers
        finally:
            stopping.set()
        for caller in asking:
            caller.result()


# What may go wrong


def test_the_tasks_of_a_killed_worker_are_interrupted_and_another_takes_its_place(
    scaled: Scaled, provider: FakeProvider
) -> None:
    scaled.live.declare("slow", provider.base_url("openai", service="slow"), api="openai", max_concurrency=50)
    provider.misbehave("hang", service="slow")
    scaled.start()
    before = scaled.pids()
    assert len(before) == 2
    tasks = [scaled.submit("slow") for _ in range(30)]
    wait_until(lambda: scaled.count("running") == len(tasks))
    held = Counter(dict(scaled.rows(RUNNING_BY_PID)))
    assert set(held) == before
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    # What it was sent while it died is lost with it; whoever connects from now on is served.
    wait_until(lambda: f"Worker {victim} ended with status -9" in scaled.live.log)

    with asking_all_the_time(lambda: scaled.execute(service="echo"), callers=1) as answers:
        wait_until(lambda: len(scaled.pids() - {victim}) == 2)
        wait_until(lambda: scaled.count("running") == held[min(before - {victim})], seconds=40)
    assert {answer.status_code for answer in answers} == {200}
    ended = scaled.get("/api/tasks/history/", params={"status": "failed"}).json()["tasks"]
    assert [task["error_code"] for task in ended] == ["INTERRUPTED"] * held[victim]
    assert len(scaled.pids()) == 2


RUNNING_BY_PID = """
    SELECT pid, count(*) FROM tasks_task JOIN tasks_runner ON tasks_runner.id = runner
    WHERE status = 'running' GROUP BY pid
"""


def test_no_worker_outlives_its_supervisor(scaled: Scaled) -> None:
    scaled.start()
    port = int(scaled.live.url.rpartition(":")[2])
    scaled.live.kill()
    wait_until(lambda: not is_listening(port))
    wait_until(lambda: not scaled.pids())


def is_listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_restart_of_postgresql_costs_no_acknowledged_task_and_needs_none_of_oxide(
    scaled: Scaled, postgres: Postgres
) -> None:
    scaled.start()
    before = scaled.pids()
    with (
        asking_all_the_time(lambda: scaled.execute(service="echo"), callers=4) as executed,
        asking_all_the_time(lambda: scaled.get("/api/tasks/history/"), callers=2) as listed,
    ):
        wait_until(lambda: len(executed) >= 20 and len(listed) >= 20)
        postgres.stop()
        time.sleep(4)
        postgres.start()
        seen = len(executed), len(listed)
        wait_until(lambda: len(executed) >= seen[0] + 50 and all(answer.ok for answer in executed[-40:]))
        wait_until(lambda: len(listed) >= seen[1] + 20 and all(answer.ok for answer in listed[-10:]))
    for answer in executed + listed:
        assert answer.status_code in (200, 503), answer.text
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.ok or answer.json()["code"] == "SERVICE_UNAVAILABLE"
    acknowledged = {answer.json()["task_id"] for answer in executed if answer.ok}
    recorded = scaled.rows("SELECT id::text FROM tasks_task WHERE status = 'completed'")
    assert acknowledged <= {task_id for (task_id,) in recorded}
    wait_until(lambda: scaled.count("running") == 0)
    wait_until(lambda: scaled.pids() == before)


def test_callers_who_wait_for_a_provider_hold_no_connection(scaled: Scaled, provider: FakeProvider) -> None:
    scaled.live.declare("slow", provider.base_url("openai", service="slow"), api="openai", max_concurrency=100)
    scaled.live.environment["OXIDE_DB_POOL"] = "5"
    provider.misbehave("hang", service="slow")
    scaled.start(workers=1)
    with ThreadPoolExecutor(60) as callers:
        waiting = [callers.submit(scaled.execute, service="slow") for _ in range(60)]
        wait_until(lambda: scaled.count("running") == 60)
        open_connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        assert scaled.rows(open_connections, scaled.name)[0][0] <= 5
        with ThreadPoolExecutor(30) as readers:
            lists = list(readers.map(lambda _: scaled.get("/api/tasks/history/").status_code, range(200)))
        assert lists == [200] * 200
        assert scaled.rows(open_connections, scaled.name)[0][0] <= 5
        assert scaled.live.stop() == 0
        assert {caller.result().json()["status"] for caller in waiting if not caller.exception()} <= {"cancelled"}


def test_too_few_connections_are_told_as_busy_and_not_as_a_defect(scaled: Scaled) -> None:
    scaled.live.environment["OXIDE_DB_POOL"] = "5"
    scaled.start(workers=1)
    task_id = scaled.execute(service="echo").json()["task_id"]
    with ThreadPoolExecutor(10) as callers:
        with scaled.postgres.connect(scaled.name) as other, other.transaction():
            other.execute("LOCK TABLE tasks_task IN ACCESS EXCLUSIVE MODE")
            answers = [callers.submit(scaled.get, f"/api/tasks/{task_id}/") for _ in range(10)]
            wait_until(lambda: any(answer.done() for answer in answers))
        codes = Counter(answer.result().status_code for answer in answers)
    assert set(codes) == {200, 503}
    refused = next(answer.result() for answer in answers if answer.result().status_code == 503)
    assert refused.json()["code"] == "SERVICE_UNAVAILABLE"
    assert "Retry-After" in refused.headers
    assert scaled.get(f"/api/tasks/{task_id}/").status_code == 200


# What an operator sees at the start


def test_two_that_start_at_once_on_an_empty_database_both_come_up(scaled: Scaled, tmp_path: Path) -> None:
    first = scaled.live
    (tmp_path / "other").mkdir()
    second = LiveOxide(tmp_path / "other")
    second.environment = first.environment
    try:
        with ThreadPoolExecutor(2) as starters:
            for started in [starters.submit(live.start) for live in (first, second)]:
                started.result()
        assert [live.execute(service="echo").status_code for live in (first, second)] == [200, 200]
        both = first.log + second.log
        assert both.count("Seeded from") == 1
        assert both.count("Made the user admin") == 1
        assert scaled.rows("SELECT app, name FROM django_migrations GROUP BY app, name HAVING count(*) > 1") == []
        assert "Traceback" not in both
        assert (first.stop(), second.stop()) == (0, 0)
    finally:
        second.kill()


def refusal(live: LiveOxide, *arguments: str) -> str:
    """What `serve` says as it refuses to start: one line, and no password in it."""
    live.write_config()
    told = live.run("serve", "--port", str(free_port()), *arguments, check=False)
    assert told.returncode == 1
    assert told.stdout == ""
    line = told.stderr.removesuffix("\n")
    assert "\n" not in line, line
    assert PASSWORD not in line
    return line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://oxide:hidden@127.0.0.1/oxide"),
        ("DATABASE_URL", "sqlite:///somewhere.sqlite3"),
        ("DATABASE_URL", "postgres://oxide:hidden@127.0.0.1:5432"),
        ("DATABASE_URL", "postgres://oxide:hid/den@127.0.0.1:5432/oxide"),
        ("DATABASE_URL", "postgres://oxide:hidden@127.0.0.1:543210/oxide"),
        ("DATABASE_URL", "postgres://oxide:hidden@127.0.0.1:1/oxide"),
        ("DATABASE_URL", "postgres://oxide:hidden@no-such-host.invalid/oxide"),
        ("DATABASE_URL", "postgres://oxide:hidden@127.0.0.1:1/oxide?sslmode=hidden"),
        ("DATABASE_URL", "postgres://oxide:hidden@127.0.0.1:1/oxide?sslmud=require"),
        ("REDIS_URL", "http://:hidden@127.0.0.1:6379/0"),
        ("REDIS_URL", "redis://:hid/den@127.0.0.1:6379/0"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:6379/first"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:6379/0?no_such_option=1"),
        ("REDIS_URL", "redis://"),
        ("OXIDE_DB_POOL", "4"),
        ("OXIDE_DB_POOL", "many"),
    ],
)
def test_a_wrong_address_ends_the_start_with_one_line(live: LiveOxide, name: str, value: str) -> None:
    live.environment = {name: value}
    line = refusal(live)
    assert name in line
    assert not re.search("hid.?den.*@|:hidden", line)


def test_a_wrong_password_or_database_is_told_by_the_server(live: LiveOxide, postgres: Postgres) -> None:
    live.environment = {"DATABASE_URL": postgres.url("postgres", password="wr0ng")}
    line = refusal(live)
    assert "DATABASE_URL" in line
    assert "password authentication failed" in line
    assert "wr0ng" not in line
    live.environment = {"DATABASE_URL": postgres.url("missing")}
    assert 'database "missing" does not exist' in refusal(live)


def test_the_query_of_the_address_reaches_the_server(live: LiveOxide, postgres: Postgres) -> None:
    # This server speaks no TLS: that it is asked for shows that sslmode arrived.
    live.environment = {"DATABASE_URL": postgres.url("postgres") + "?sslmode=require"}
    assert "server does not support SSL" in refusal(live)


def test_several_workers_need_both_servers(live: LiveOxide, postgres: Postgres, redis: Redis) -> None:
    assert "DATABASE_URL and REDIS_URL" in refusal(live, "--workers", "2")
    live.environment = {"DATABASE_URL": postgres.url("postgres")}
    assert "DATABASE_URL and REDIS_URL" in refusal(live, "--workers", "2")
    live.environment = {"REDIS_URL": redis.url}
    assert "DATABASE_URL and REDIS_URL" in refusal(live, "--workers", "2")


def test_redis_may_be_away_where_one_process_serves_and_not_where_several_do(scaled: Scaled) -> None:
    scaled.live.environment["REDIS_URL"] = f"redis://:{'hidden'}@127.0.0.1:{free_port()}/0"
    assert "REDIS_URL: Redis does not answer" in refusal(scaled.live, "--workers", "2")
    scaled.start(workers=1)
    assert scaled.execute(service="echo").status_code == 200
    assert "REDIS_URL: Redis does not answer" in scaled.live.log
    assert "hidden" not in scaled.live.log


def test_a_second_process_on_one_data_folder_is_refused(live: LiveOxide) -> None:
    live.start()
    assert "OXIDE_DATA_DIR" in refusal(live)
    assert live.execute(service="echo").status_code == 200


def test_workers_do_not_share_a_port_with_another_oxide(scaled: Scaled) -> None:
    scaled.start()
    port = scaled.live.url.rpartition(":")[2]
    assert "Cannot listen" in refusal(scaled.live, "--workers", "2", "--port", port)
    assert scaled.execute(service="echo").status_code == 200


def test_a_free_port_is_found_for_all_workers(scaled: Scaled) -> None:
    scaled.live.start("--workers", "2", "--port", "0")
    assert scaled.execute(service="echo").status_code == 200
    assert len(scaled.pids()) == 2
    assert scaled.live.log.count("Oxide listens on") == 1
