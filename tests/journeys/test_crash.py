"""What is left after a process was killed."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import Any

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until


def test_after_kill_9_no_task_is_running_and_every_answered_one_is_there(
    live: LiveOxide, provider: FakeProvider
) -> None:
    live.declare("quick", provider.base_url("openai", service="quick"), api="openai", max_concurrency=50)
    live.declare("slow", provider.base_url("openai", service="slow"), api="openai", max_concurrency=50)
    provider.misbehave("hang", service="slow")
    live.start()
    answered: list[str] = []
    hanging = [threading.Thread(target=_execute, args=(live, "slow", [])) for _ in range(10)]
    quick = [threading.Thread(target=_execute_until_killed, args=(live, answered)) for _ in range(4)]
    for thread in hanging + quick:
        thread.start()
    wait_until(lambda: _count(live, "running") >= 10 and len(answered) >= 40)
    queued = live.execute(service="slow", background=True).json()["task_id"]
    live.kill()
    for thread in hanging + quick:
        thread.join()

    live.start()
    assert _count(live, "running") == 0
    assert _count(live, "queued") == 0
    assert {live.get(f"/api/tasks/{task_id}/").json()["status"] for task_id in answered} == {"completed"}
    left = live.get(f"/api/tasks/{queued}/").json()
    assert (left["status"], left["error_code"]) == ("failed", "INTERRUPTED")


def test_what_was_committed_comes_into_the_database_file_while_it_is_served(live: LiveOxide) -> None:
    live.start()
    task = live.execute(service="echo").json()["task_id"].replace("-", "")
    alone = live.folder / "alone.sqlite3"

    def is_there() -> bool:
        alone.write_bytes((live.folder / "var" / "oxide.sqlite3").read_bytes())  # without the WAL beside it
        with closing(sqlite3.connect(alone)) as database:
            return bool(database.execute("SELECT 1 FROM tasks_task WHERE id = ?", [task]).fetchall())

    wait_until(is_there)


def test_sigterm_lets_calls_in_flight_end(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("slow", provider.base_url("openai"), api="openai", max_concurrency=50)
    provider.misbehave("slow", seconds=2)
    live.start()
    answers: list[Any] = []
    threads = [threading.Thread(target=_execute, args=(live, "slow", answers)) for _ in range(20)]
    for thread in threads:
        thread.start()
    wait_until(lambda: provider.calls_to("openai") == 20)
    assert live.stop() == 0
    for thread in threads:
        thread.join()
    assert [answer["status"] for answer in answers] == ["completed"] * 20


def _execute(live: LiveOxide, service: str, answers: list[Any]) -> None:
    # A connection of its own: a session's are shared out in turn.
    import requests

    try:
        answer = requests.post(
            f"{live.url}/api/tasks/execute/", json={"prompt": "Go on.", "service": service}, timeout=60
        )
        answers.append(answer.json())
    except requests.ConnectionError:
        return


def _execute_until_killed(live: LiveOxide, answered: list[str]) -> None:
    while True:
        answers: list[Any] = []
        _execute(live, "quick", answers)
        if not answers:
            return
        answered.append(answers[0]["task_id"])


def _count(live: LiveOxide, status: str) -> int:
    return int(live.get("/api/tasks/history/", params={"status": status}).json()["total"])
