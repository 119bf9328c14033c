"""Whoever can write to Redis can mix up counters and live events. They cannot run code in Oxide, nor stop it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile_redis import HostileRedis
from tests.live import LiveOxide

LOGIN = {"username": "admin", "password": "wrong"}


def test_what_redis_answers_is_never_unpickled(live: LiveOxide, tmp_path: Path) -> None:
    with HostileRedis(tmp_path) as redis:
        limits = {"OXIDE_RATE_LIMIT_ANON": "1000/m", "OXIDE_RATE_LIMIT_USER": "1000/m"}
        live.environment |= {"REDIS_URL": redis.url, "OXIDE_AUTH_ENABLED": "true", **limits}
        live.start()
        assert live.get("/ready").status_code in (200, 503)
        assert live.post("/auth/login", json=LOGIN).status_code in (401, 429)
        for path in ("/api/services/", "/v1/models", "/login", "/admin/login/", "/openapi.json", "/metrics"):
            assert live.get(path).status_code < 500, path
        assert {"PING", "SET", "INCRBY", "GET"} <= set(redis.commands)
        assert not redis.proof.exists()


@pytest.mark.parametrize("reply", [b"$3\r\nabc\r\n", b"*0\r\n", b":x\r\n"])
def test_answers_that_make_no_sense_end_no_request_with_a_500(live: LiveOxide, tmp_path: Path, reply: bytes) -> None:
    with HostileRedis(tmp_path) as redis:
        redis.answers = dict.fromkeys([*redis.answers, "SUBSCRIBE", "PUBLISH", "CLIENT"], reply)
        limits = {"OXIDE_RATE_LIMIT_ANON": "1000/m", "OXIDE_RATE_LIMIT_USER": "1000/m"}
        live.environment |= {"REDIS_URL": redis.url, "OXIDE_AUTH_ENABLED": "true", **limits}
        live.start()
        assert live.get("/ready").status_code in (200, 503)
        assert live.post("/auth/login", json=LOGIN).status_code in (401, 429)
        assert live.get("/api/services/").status_code == 401
