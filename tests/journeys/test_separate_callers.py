"""Programs that share one Oxide and see nothing of each other, in real processes and over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.sync.client import ClientConnection

from tests.fake_provider import FakeProvider
from tests.journeys.test_live_events import client, hear
from tests.live import LiveOxide
from tests.people import bearer
from tests.servers import Postgres, Redis
from tests.sse import events
from tests.waiting import wait_until
from tests.watch import watch

Headers = dict[str, str]
SAID = [{"role": "user", "content": "What is quantum computing?"}]
CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "a task": ("/api/tasks/execute/", {"prompt": "What?"}),
    "a task as a stream": ("/api/tasks/execute/", {"prompt": "What?", "stream": True}),
    "a task in the background": ("/api/tasks/execute/", {"prompt": "What?", "background": True}),
    "chat completions": ("/v1/chat/completions", {"model": "first/alpha", "messages": SAID}),
    "chat completions as a stream": (
        "/v1/chat/completions",
        {"model": "first/alpha", "messages": SAID, "stream": True},
    ),
    "completions": ("/v1/completions", {"model": "first/alpha", "prompt": "What?"}),
    "responses": ("/v1/responses", {"model": "first/alpha", "input": "What?"}),
    "messages": ("/v1/messages", {"model": "first/alpha", "messages": SAID, "max_tokens": 10}),
    "embeddings": ("/v1/embeddings", {"model": "first/alpha", "input": "What?"}),
}


@pytest.fixture
def guarded(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    return live.declare("first", provider.base_url("openai", service="first"), api="openai")


def make_keys(live: LiveOxide, scopes: Mapping[str, list[str] | None]) -> dict[str, Headers]:
    """Headers of keys by their name; with the scopes that keys have by default where it says None."""
    login = {"username": "admin", "password": live.admin_password}
    admin = bearer(live.post("/auth/login", json=login).json()["access_token"])
    found = {}
    for name, granted in scopes.items():
        wanted = {"name": name, **({"scopes": granted} if granted else {})}
        made = live.post("/api/api-keys/clients/", json=wanted, headers=admin).json()
        found[name] = bearer(watch.learn("key for programs", made["key"], shown=f"{made['prefix']}_"))
    return found


def history(live: LiveOxide, headers: Headers) -> set[str]:
    return {task["id"] for task in live.get("/api/tasks/history/", headers=headers).json()["tasks"]}


def _has(live: LiveOxide, headers: Headers, number: int) -> bool:
    return len(history(live, headers)) == number


def test_whatever_is_called_the_task_belongs_to_its_caller(guarded: LiveOxide) -> None:
    guarded.start()
    keys = make_keys(guarded, {"ada": None, "bob": None, "auditor": ["read"]})
    for number, (name, (path, body)) in enumerate(CALLS.items(), 1):
        answer = guarded.post(path, json=body, headers=keys["ada"])
        assert answer.status_code in (200, 202), (name, answer.text)
        wait_until(partial(_has, guarded, keys["ada"], number))
    mine = history(guarded, keys["ada"])
    assert history(guarded, keys["auditor"]) == mine
    assert history(guarded, keys["bob"]) == set()
    for task_id in mine:
        found = [guarded.get(f"/api/tasks/{task_id}/", headers=keys[name]).status_code for name in keys]
        assert found == [200, 404, 200]


def test_a_new_key_can_do_what_a_program_needs(guarded: LiveOxide) -> None:
    guarded.start()
    key = make_keys(guarded, {"program": None})["program"]
    assert guarded.get("/auth/me", headers=key).json()["scopes"] == ["execute"]
    listed = guarded.get("/v1/models", headers=key).json()["data"]
    assert guarded.get(f"/v1/models/{listed[0]['id']}", headers=key).status_code == 200
    counted = guarded.post("/v1/messages/count_tokens", json={"model": "auto", "messages": SAID}, headers=key)
    assert counted.json()["input_tokens"] > 0
    for closed in ("/api/services/", "/api/monitoring/metrics/", "/api/routing/rules/", "/metrics", "/api/config/"):
        assert guarded.get(closed, headers=key).status_code == 403, closed


def listening(live: LiveOxide, key: Headers) -> Any:
    return client(live, subprotocols=["oxide", f"bearer.{key['Authorization'].removeprefix('Bearer ')}"])


def follow(connection: ClientConnection, task_id: str) -> None:
    connection.send(json.dumps({"type": "subscribe", "task_id": task_id}))
    assert task_id in hear(connection, "subscribed")["task_ids"]


def heard_until_pong(connection: ClientConnection) -> list[dict[str, Any]]:
    """Whatever came before the answer to a ping that is sent now."""
    connection.send("ping")
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != "pong":
        found.append(json.loads(connection.recv(30)))
    return found[:-1]


def begin(live: LiveOxide, key: Headers) -> str:
    """A task in the background; its id."""
    body = {"prompt": "What?", "service": "first", "background": True}
    return str(live.post("/api/tasks/execute/", json=body, headers=key).json()["task_id"])


def test_a_running_task_is_followed_and_cancelled_by_its_caller_alone(
    guarded: LiveOxide, provider: FakeProvider
) -> None:
    provider.pace(0.3)
    guarded.start()
    keys = make_keys(guarded, {"ada": None, "bob": None})
    with listening(guarded, keys["ada"]) as ada, listening(guarded, keys["bob"]) as bob:
        for connection in (ada, bob):
            assert hear(connection, "snapshot")["data"]["metrics"] is None
        task_id = begin(guarded, keys["ada"])
        _nobody_else_reaches(guarded, keys["bob"], bob, task_id)
        follow(ada, task_id)
        hear(ada, "task_delta", task_id=task_id)
        assert guarded.post(f"/api/tasks/{task_id}/cancel/", headers=keys["ada"]).status_code == 202
        hear(ada, "task_progress", task_id=task_id, status="cancelled")
        assert heard_until_pong(bob) == []


def test_a_stream_is_followed_and_cancelled_by_its_caller_alone(guarded: LiveOxide, provider: FakeProvider) -> None:
    provider.pace(0.3)
    guarded.start()
    keys = make_keys(guarded, {"ada": None, "bob": None})
    body = {"prompt": "What?", "stream": True}
    with listening(guarded, keys["ada"]) as ada, listening(guarded, keys["bob"]) as bob:
        for connection in (ada, bob):
            hear(connection, "snapshot")
        address = f"{guarded.url}/api/tasks/execute/"
        with requests.post(address, json=body, headers=keys["ada"], stream=True, timeout=60) as streamed:
            told = events(streamed.iter_lines(chunk_size=1))
            task_id = next(told)[1]["task_id"]
            _nobody_else_reaches(guarded, keys["bob"], bob, task_id)
            follow(ada, task_id)
            hear(ada, "task_delta", task_id=task_id)
            assert guarded.post(f"/api/tasks/{task_id}/cancel/", headers=keys["ada"]).status_code == 202
            assert [data["status"] for name, data in told if name == "done"] == ["cancelled"]
        assert heard_until_pong(bob) == []


def _nobody_else_reaches(live: LiveOxide, key: Headers, connection: ClientConnection, task_id: str) -> None:
    """Neither over the API nor over /ws, as if it were not there."""
    assert live.get(f"/api/tasks/{task_id}/", headers=key).status_code == 404
    assert live.post(f"/api/tasks/{task_id}/cancel/", headers=key).status_code == 404
    follow(connection, task_id)
    assert heard_until_pong(connection) == []


@pytest.fixture
def pair(live: LiveOxide, tmp_path: Path, provider: FakeProvider) -> Iterator[tuple[LiveOxide, LiveOxide]]:
    """Two processes with one database and one Redis; not started yet."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = LiveOxide(folder)
    with Postgres() as postgres, postgres.database("callers") as url, Redis() as redis:
        for oxide in (live, other):
            oxide.declare("first", provider.base_url("openai", service="first"), api="openai")
            oxide.environment |= {
                "DATABASE_URL": url,
                "REDIS_URL": redis.url,
                "OXIDE_SECRET_KEY": "one secret key for both processes",
                "OXIDE_AUTH_ENABLED": "true",
            }
        try:
            yield live, other
        finally:
            live.kill()
            other.kill()


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_callers_are_kept_apart_in_every_process(pair: tuple[LiveOxide, LiveOxide], provider: FakeProvider) -> None:
    provider.pace(1.0)
    here, there = pair
    here.start()
    there.start()
    keys = make_keys(here, {"ada": None, "bob": None})
    wait_until(lambda: there.get("/auth/me", headers=keys["ada"]).status_code == 200)
    with listening(here, keys["ada"]) as ada, listening(here, keys["bob"]) as bob:
        for connection in (ada, bob):
            hear(connection, "snapshot")
        task_id = begin(there, keys["ada"])
        _nobody_else_reaches(here, keys["bob"], bob, task_id)
        follow(ada, task_id)
        hear(ada, "task_delta", task_id=task_id)
        assert here.post(f"/api/tasks/{task_id}/cancel/", headers=keys["ada"]).status_code == 202
        hear(ada, "task_progress", task_id=task_id, status="cancelled")
        assert heard_until_pong(bob) == []


def test_keys_made_before_authentication_are_listed_and_refused_until_they_are_adopted(live: LiveOxide) -> None:
    live.start()
    made = live.post("/api/api-keys/clients/", json={"name": "forgotten", "scopes": ["read", "admin"]}).json()
    key = bearer(watch.learn("key for programs", made["key"], shown=f"{made['prefix']}_"))
    assert live.stop() == 0
    assert "refused: forgotten" not in live.log
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    checked = live.run("check", "--deploy", check=False)
    assert "oxide.W003" in checked.stderr
    assert "refused once authentication is on: forgotten." in checked.stderr
    live.start()
    assert "refused: forgotten. Give each an owner in the admin pages" in live.log
    refused = live.get("/api/services/", headers=key)
    assert (refused.status_code, "no owner" in refused.json()["detail"]) == (401, True)
    with listening(live, key) as connection:
        assert "no owner" in hear(connection, "error")["detail"]
