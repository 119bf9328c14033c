"""Keys of providers in real processes: entered, used, kept, and never seen again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests import canary
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.servers import Postgres, Redis
from tests.waiting import wait_until

VARIABLE = "KEYS_JOURNEY_KEY"
CANARY = canary.provider_key("first")
OTHER = canary.provider_key("other", end="-abc")


@pytest.fixture
def mine(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    """One service, `mine`, that asks for a key."""
    return live.declare("mine", provider.base_url("openai", service="mine"), api="openai", api_key_env=VARIABLE)


def update(live: LiveOxide, secret: str, service: str = "mine") -> dict[str, Any]:
    answer = live.post("/api/api-keys/update/", json={"service": service, "api_key": secret})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def status(live: LiveOxide) -> dict[str, Any]:
    body: dict[str, Any] = live.get("/api/api-keys/status/mine/").json()
    return body


def used(live: LiveOxide, provider: FakeProvider) -> str:
    """The key that a task is done with."""
    assert live.execute(service="mine").status_code == 200
    return provider.requests[-1].headers["authorization"].removeprefix("Bearer ")


def file_of(live: LiveOxide) -> Path:
    return live.folder / "oxide.yaml"


def files_with_keys(live: LiveOxide) -> set[str]:
    """Which of all the files that Oxide has written, database and log among them, hold a key in clear."""
    files = [path for path in live.folder.rglob("*") if path.is_file()]
    return {path.name for path in files if canary.MARK.encode() in path.read_bytes()}


def restart(live: LiveOxide) -> None:
    """Without writing the configuration anew, as `start` does."""
    live.stop()
    live.config = yaml.safe_load(file_of(live).read_text())
    live.start()


def test_a_key_is_entered_used_replaced_and_outlives_a_restart(mine: LiveOxide, provider: FakeProvider) -> None:
    mine.start()
    assert mine.execute(service="mine").status_code == 503
    assert update(mine, OTHER)["in_force"]
    assert used(mine, provider) == OTHER
    update(mine, CANARY)
    assert used(mine, provider) == CANARY
    wait_until(lambda: status(mine)["valid"])
    restart(mine)
    assert used(mine, provider) == CANARY
    assert (status(mine)["source"], status(mine)["key_preview"]) == ("file", "sk-o...xyz")


def test_a_key_is_kept_in_the_database_and_nowhere_in_clear(mine: LiveOxide, provider: FakeProvider) -> None:
    mine.environment |= {"OXIDE_KEY_STORE": "database", "OXIDE_LOG_LEVEL": "DEBUG"}
    mine.start()
    update(mine, CANARY)
    assert used(mine, provider) == CANARY
    mine.stop()
    mine.start()
    assert used(mine, provider) == CANARY
    assert files_with_keys(mine) == set()


def test_another_secret_key_is_told_and_stops_nothing(mine: LiveOxide, provider: FakeProvider) -> None:
    mine.environment |= {"OXIDE_KEY_STORE": "database"}
    mine.start()
    update(mine, CANARY)
    mine.stop()
    first = (mine.folder / "var" / "secret.key").read_text().strip()
    mine.environment |= {"OXIDE_SECRET_KEY": "another-secret-key-of-some-length-0123456789"}
    mine.start()
    assert mine.execute(service="echo").status_code == 200
    assert not status(mine)["configured"]
    assert "name that one in OXIDE_SECRET_KEY_FALLBACKS" in status(mine)["detail"]
    assert "The stored key of mine was encrypted with another OXIDE_SECRET_KEY" in mine.log
    mine.stop()
    mine.environment |= {"OXIDE_SECRET_KEY_FALLBACKS": first}
    mine.start()
    assert used(mine, provider) == CANARY


def test_a_key_that_was_written_into_the_file_by_hand_comes_with_a_reload(
    mine: LiveOxide, provider: FakeProvider
) -> None:
    mine.start()
    mine.config["services"]["mine"]["api_key"] = CANARY
    mine.write_config()
    told = mine.run("reload")
    assert canary.MARK not in told.stdout + told.stderr
    wait_until(lambda: status(mine)["configured"], seconds=10)
    assert used(mine, provider) == CANARY
    mine.config["services"]["mine"]["api_key"] = OTHER
    mine.write_config()
    changes = mine.post("/api/config/reload/").json()["changes"]
    assert changes["keys"] == ["mine"]
    assert used(mine, provider) == OTHER


def test_two_processes_that_write_ten_keys_each_lose_none(
    live: LiveOxide, provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = [f"service-{number}" for number in range(20)]
    for name in names:
        live.declare(name, provider.base_url("openai", service=name), api="openai", api_key_env=VARIABLE)
    other = LiveOxide(tmp_path_factory.mktemp("other"))
    other.config = live.config
    other.environment |= {"OXIDE_CONFIG": str(file_of(live))}
    live.start()
    try:
        other.start()
        lines = file_of(live).read_text().splitlines()
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(_written, [live, other] * 10, names)) == {200}
    finally:
        other.kill()
    result = file_of(live).read_text()
    keys = {name: entry.get("api_key") for name, entry in yaml.safe_load(result)["services"].items()}
    assert keys == {"echo": None, **{name: f"key-of-{name}" for name in names}}
    assert [line for line in result.splitlines() if "api_key:" not in line] == lines


def _written(live: LiveOxide, name: str) -> int:
    # Not over the session, which is no matter for several threads.
    body = {"service": name, "api_key": f"key-of-{name}"}
    return requests.post(f"{live.url}/api/api-keys/update/", json=body, timeout=60).status_code


def test_no_answer_and_no_log_shows_a_key(mine: LiveOxide, provider: FakeProvider) -> None:
    mine.environment |= {"OXIDE_LOG_LEVEL": "DEBUG", VARIABLE: OTHER}
    mine.start()
    keyed = {"service": "mine", "api_key": CANARY}
    answers = [
        *(mine.post("/api/api-keys/test/", json=keyed) for _ in range(2)),
        mine.post("/api/api-keys/update/", json=keyed),
        mine.post("/api/api-keys/update/", json={**keyed, "api_key": f"{CANARY}\n"}),
        mine.post("/api/api-keys/update/", json={**keyed, "base_url": CANARY}),
        mine.post("/api/api-keys/update/", json=[CANARY]),
        mine.post("/api/api-keys/update/", data=CANARY, headers={"Content-Type": "application/json"}),
        mine.execute(service="mine"),
    ]
    provider.misbehave("refuse", why="auth")  # and says the key while it does
    answers += [
        mine.post("/api/api-keys/test/", json=keyed),
        mine.post("/api/api-keys/test/", json={"service": "mine"}),
        mine.post("/api/services/mine/test/"),
        mine.execute(service="mine"),
        mine.get("/api/services/mine/"),
        mine.get("/api/api-keys/status/"),
        mine.get("/api/api-keys/status/mine/"),
        mine.get("/api/config/"),
        mine.post("/api/config/reload/"),
        mine.get("/api/tasks/history/"),
    ]
    file_of(mine).write_text(file_of(mine).read_text().replace(f'"{CANARY}"', f'["{CANARY}"'))
    answers += [mine.post("/api/config/reload/"), mine.post("/api/api-keys/update/", json=keyed)]
    assert {answer.status_code for answer in answers[-2:]} == {400}
    for answer in answers:
        assert canary.MARK not in answer.text + str(answer.headers), answer.url
    assert "sk-o...abc" in answers[13].text
    mine.stop()
    assert files_with_keys(mine) == {"oxide.yaml"}


@pytest.fixture
def two(mine: LiveOxide) -> Iterator[tuple[LiveOxide, LiveOxide]]:
    """Two processes on one PostgreSQL, one Redis, one configuration file and one secret key, not started yet."""
    other = LiveOxide(mine.folder)
    other.config = mine.config
    with Postgres() as postgres, Redis() as redis, postgres.database(f"oxide_{uuid.uuid4().hex}") as url:
        for live in (mine, other):
            live.environment |= {"DATABASE_URL": url, "REDIS_URL": redis.url, "OXIDE_DRAIN_SECONDS": "1"}
        yield mine, other
        for live in (mine, other):
            live.kill()


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
@pytest.mark.parametrize("store", ["file", "database"])
def test_every_process_uses_the_new_key_within_two_seconds(two: tuple[LiveOxide, LiveOxide], store: str) -> None:
    for live in two:
        live.environment |= {"OXIDE_KEY_STORE": store}
        live.start()
    here, there = two
    for secret, preview in ((OTHER, "sk-o...abc"), (CANARY, "sk-o...xyz")):
        update(here, secret)
        assert status(here)["key_preview"] == preview
        wait_until(lambda preview=preview: status(there)["key_preview"] == preview, seconds=2)  # type: ignore[misc]
    assert status(there)["source"] == store
