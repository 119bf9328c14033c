"""GET /health and GET /ready"""

from __future__ import annotations

import pytest
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from monitoring import readiness
from tasks.models import Task
from tasks.recorder import recorder
from tests.live import LiveOxide
from tests.servers import Postgres, Redis


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_asks_no_database(client: APIClient, path: str) -> None:
    # Without the mark `django_db` a test that asks it fails.
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/health", "/ready"])
@pytest.mark.django_db
def test_a_probe_may_call_by_any_address(client: APIClient, path: str) -> None:
    assert client.get(path, headers={"host": "10.1.2.3:8000"}).status_code == 200
    assert client.get("/api/services/", headers={"host": "10.1.2.3:8000"}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_ready_names_every_part(client: APIClient) -> None:
    recorder.save(Task(prompt="Fine.", task_type="general", status="completed"))
    answer = client.get("/ready")
    assert answer.status_code == 200
    fine = {"ok": True, "detail": ""}
    parts = ("database", "migrations", "cache", "recorder")
    assert answer.json() == {"status": "ready", "checks": dict.fromkeys(parts, fine)}


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_is_not_applied_is_told(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'monitoring'")
    try:
        answer = client.get("/ready")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('monitoring', '0001_initial', '2026-01-01')"
            )
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "manage.py migrate" in answer.json()["checks"]["migrations"]["detail"]
    assert answer.json()["checks"]["database"]["ok"]


@pytest.mark.django_db
def test_a_recorder_that_hangs_is_told(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_committing_since", float("-inf"))
    body = client.get("/ready").json()
    assert [part for part, check in body["checks"].items() if not check["ok"]] == ["recorder"]
    assert "Restart Oxide" in body["detail"]


def test_other_methods_are_refused(client: APIClient) -> None:
    assert (client.post("/health").status_code, client.post("/health").json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert client.head("/health").status_code == 200


def test_whatever_a_probe_accepts_it_gets_json(client: APIClient) -> None:
    assert client.get("/health", headers={"accept": "text/html"}).json() == {"status": "ok"}


def test_probes_ask_nobody_who_they_are_and_count_nothing(client: APIClient, settings: Settings) -> None:
    settings.AUTH_ENABLED = True
    answer = client.get("/health", headers={"authorization": "Bearer nonsense"})
    assert answer.status_code == 200
    assert "X-RateLimit-Limit" not in answer


@pytest.mark.slow
def test_a_database_or_cache_that_goes_away_makes_a_process_unready_and_leaves_it_alive(live: LiveOxide) -> None:
    with Postgres() as postgres, Redis() as redis, postgres.database("oxide") as url:
        live.environment |= {"DATABASE_URL": url, "REDIS_URL": redis.url}
        live.start()
        assert live.get("/ready").status_code == 200
        assert live.execute(service="echo").status_code == 200
        assert live.get("/api/monitoring/metrics/").json()["tasks"]["completed"] == 1
        assert live.get("/api/monitoring/stats/").json()["services"]["echo"]["requests"] == 1
        assert live.get("/api/monitoring/costs/?group_by=model").json()["total"]["requests"] == 1
        assert 'oxide_tasks_total{status="completed"} 1.0' in live.get("/metrics").text
        redis.stop()
        assert failing(live) == ["cache"]
        postgres.stop()
        assert failing(live) == ["database", "migrations", "cache"]
        assert "oxide:" not in live.get("/ready").text
        assert live.get("/health").status_code == 200
        postgres.start()
        redis.start()
        assert live.get("/ready").json()["status"] == "ready"


def failing(live: LiveOxide) -> list[str]:
    answer = live.get("/ready")
    assert answer.status_code == 503
    return [part for part, check in answer.json()["checks"].items() if not check["ok"]]
