"""Identity and limits of a real process, and of several."""

from __future__ import annotations

import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.live import LiveOxide
from tests.people import bearer
from tests.servers import Postgres, Redis
from tests.waiting import wait_until

SERVICES = "/api/services/"


@pytest.fixture
def guarded(live: LiveOxide) -> LiveOxide:
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    return live


def log_in(live: LiveOxide) -> Any:
    answer = live.post("/auth/login", json={"username": "admin", "password": live.admin_password})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_newcomer_logs_in_makes_a_key_and_runs_a_task(guarded: LiveOxide) -> None:
    guarded.start()
    closed = guarded.execute(service="echo")
    assert (closed.status_code, closed.headers["WWW-Authenticate"]) == (401, "Bearer")
    pair = log_in(guarded)
    mine = bearer(pair["access_token"])
    made = guarded.post("/api/api-keys/clients/", json={"name": "robot"}, headers=mine).json()
    body = {"prompt": "Hello", "service": "echo"}
    for headers, client in ((mine, "admin"), ({"x-api-key": made["key"]}, "robot")):
        answer = guarded.post("/api/tasks/execute/", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        task = guarded.get(f"/api/tasks/{answer.json()['task_id']}/", headers=headers).json()
        assert task["client"] == client
    wait_until(lambda: guarded.get("/api/api-keys/clients/", headers=mine).json()["keys"][0]["last_used_at"])
    assert guarded.post("/auth/logout", json={"refresh_token": pair["refresh_token"]}).status_code == 200
    assert guarded.get(SERVICES, headers=mine).status_code == 401
    for secret in (made["key"], pair["access_token"], pair["refresh_token"]):
        assert secret not in guarded.log
        assert not any(secret in dump for dump in _dump(guarded))


def _dump(live: LiveOxide) -> Iterator[str]:
    with sqlite3.connect(live.folder / "var" / "oxide.sqlite3") as database:
        yield from database.iterdump()


def test_keys_and_logins_outlive_a_restart(guarded: LiveOxide) -> None:
    guarded.start()
    pair = log_in(guarded)
    mine = bearer(pair["access_token"])
    made = guarded.post("/api/api-keys/clients/", json={"name": "robot"}, headers=mine).json()
    assert guarded.stop() == 0
    guarded.start()
    assert guarded.get(SERVICES, headers=mine).status_code == 200
    assert guarded.get("/v1/models", headers=bearer(made["key"])).status_code == 200


def test_identity_limits_and_hosts_of_the_file_hold_and_follow_a_reload(live: LiveOxide) -> None:
    live.environment = {}
    live.config["security"] = {"rate_limits": {"anonymous": "1000/d"}, "allowed_hosts": ["oxide.example.org"]}
    live.start()

    def ask(host: str) -> requests.Response:
        return live.get(SERVICES, headers={"Host": host})

    answer = ask("oxide.example.org")
    assert (answer.status_code, answer.headers["X-RateLimit-Limit"]) == (200, "1000")
    assert ask("other.example.org").status_code == 400
    live.config["security"] = {
        "auth_enabled": True,
        "rate_limits": {"anonymous": "2000/d"},
        "allowed_hosts": ["other.example.org"],
    }
    live.write_config()
    live.run("reload")
    wait_until(lambda: ask("other.example.org").status_code == 401, seconds=5)
    assert ask("oxide.example.org").status_code == 400
    assert ask("other.example.org").headers["X-RateLimit-Limit"] == "2000"


def test_listening_for_others_without_identity_is_warned_of(live: LiveOxide) -> None:
    live.start("--host", "0.0.0.0")
    assert "WARNING: listening on 0.0.0.0 without identity" in live.log


def test_with_identity_or_on_loopback_there_is_no_warning(live: LiveOxide) -> None:
    live.start()
    assert "WARNING" not in live.log
    assert live.stop() == 0
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    live.start("--host", "0.0.0.0")
    assert "without identity" not in live.log


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OXIDE_AUTH_ENABLED", "maybe"),
        ("OXIDE_RATE_LIMIT_ANON", "100"),
        ("OXIDE_RATE_LIMIT_USER", "many/m"),
        ("OXIDE_RATE_LIMIT_USER", "-1/m"),
        ("OXIDE_ALLOWED_HOSTS", "http://oxide.example.org"),
        ("OXIDE_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("OXIDE_TRUSTED_PROXIES", "proxy"),
        ("OXIDE_HTTPS", "tls"),
    ],
)
def test_a_wrong_value_ends_the_start_with_one_line(live: LiveOxide, name: str, value: str) -> None:
    live.environment[name] = value
    live.write_config()
    done = live.run("serve", check=False)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"oxide: {name} must ")


def test_the_checks_for_a_deployment_are_clean_with_production_settings(live: LiveOxide) -> None:
    live.environment |= {"OXIDE_AUTH_ENABLED": "true", "OXIDE_HTTPS": "true", "OXIDE_ALLOWED_HOSTS": "a.example"}
    live.write_config()
    done = live.run("check", "--deploy", "--fail-level", "WARNING", check=False)
    assert done.returncode == 0, done.stderr
    del live.environment["OXIDE_AUTH_ENABLED"]
    done = live.run("check", "--deploy", "--fail-level", "WARNING", check=False)
    assert done.returncode != 0
    assert "OXIDE_AUTH_ENABLED=true" in done.stderr


def test_behind_tls_clients_are_sent_there_and_cookies_stay_there(live: LiveOxide) -> None:
    live.environment["OXIDE_HTTPS"] = "true"
    live.start()
    plain = live.get(SERVICES, allow_redirects=False)
    assert (plain.status_code, plain.headers["Location"]) == (301, live.url.replace("http:", "https:") + SERVICES)
    assert live.get("/health").status_code == 200
    secure = {"X-Forwarded-Proto": "https"}
    answer = live.get("/admin/login/", headers=secure)
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


# Counting


def call_at_once(url: str, number: int, headers: dict[str, str] | None = None) -> Counter[int]:
    def call(_: int) -> int:
        return requests.get(url + SERVICES, timeout=60, headers=headers or {}).status_code

    with ThreadPoolExecutor(50) as pool:
        return Counter(pool.map(call, range(number)))


def test_of_250_calls_at_once_100_pass(live: LiveOxide) -> None:
    live.environment["OXIDE_RATE_LIMIT_ANON"] = "100/d"
    live.start()
    assert call_at_once(live.url, 250) == {200: 100, 429: 150}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def scaled(guarded: LiveOxide, postgres: Postgres, redis: Redis) -> Iterator[LiveOxide]:
    name = f"oxide_{uuid.uuid4().hex}"
    with postgres.database(name) as url:
        guarded.environment |= {"DATABASE_URL": url, "REDIS_URL": redis.url, "OXIDE_DRAIN_SECONDS": "1"}
        yield guarded
        guarded.kill()


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_four_processes_count_together_and_alone_when_redis_is_away(scaled: LiveOxide, redis: Redis) -> None:
    scaled.environment |= {"OXIDE_AUTH_ENABLED": "false", "OXIDE_RATE_LIMIT_ANON": "100/d"}
    scaled.start("--workers", "4")
    assert call_at_once(scaled.url, 250) == {200: 100, 429: 150}
    redis.stop()
    away = call_at_once(scaled.url, 250)
    assert set(away) <= {200, 429}, away
    assert away[200] <= 4 * 100
    assert 1 <= scaled.log.count("Redis does not answer") <= 4
    assert call_at_once(scaled.url, 50).keys() <= {200, 429}


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_a_change_to_people_and_keys_reaches_every_process(scaled: LiveOxide) -> None:
    scaled.start("--workers", "2")
    admin = bearer(log_in(scaled)["access_token"])
    pair = log_in(scaled)
    other = bearer(pair["access_token"])

    def ask(headers: dict[str, str]) -> set[int]:
        # Without keeping connections, so that each process is asked at some time.
        return {requests.get(scaled.url + SERVICES, timeout=60, headers=headers).status_code for _ in range(12)}

    def follows(headers: dict[str, str], status: int) -> Callable[[], bool]:
        return lambda: ask(headers) == {status}

    made = requests.post(
        scaled.url + "/api/api-keys/clients/", json={"name": "robot", "scopes": ["read"]}, headers=admin, timeout=60
    ).json()
    key = bearer(made["key"])
    wait_until(follows(key, 200), seconds=5)
    requests.delete(f"{scaled.url}/api/api-keys/clients/{made['id']}/", headers=admin, timeout=60)
    wait_until(follows(key, 401), seconds=5)

    requests.post(
        scaled.url + "/auth/logout", json={"refresh_token": pair["refresh_token"]}, timeout=60
    ).raise_for_status()
    wait_until(follows(other, 401), seconds=5)
    assert ask(admin) == {200}

    disable = "from django.contrib.auth.models import User; u = User.objects.get(); u.is_active = False; u.save()"
    scaled.run("shell", "-c", disable)
    wait_until(follows(admin, 401), seconds=5)


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_of_twenty_refreshes_at_once_one_succeeds_on_postgresql(scaled: LiveOxide) -> None:
    scaled.start("--workers", "2")
    token = log_in(scaled)["refresh_token"]

    def refresh(_: int) -> int:
        body = {"refresh_token": token}
        return requests.post(scaled.url + "/auth/refresh", json=body, timeout=60).status_code

    with ThreadPoolExecutor(20) as pool:
        assert Counter(pool.map(refresh, range(20))) == {200: 1, 401: 19}
