"""Two processes on one database: one checks the services for both, and both know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.servers import Postgres, Redis
from tests.waiting import wait_until

# One process of pytest-xdist runs them all, beside the other tests that start servers.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scaled")]

VARIABLE = "SHARED_HEALTH_KEY"


@dataclass
class Pair:
    """Two processes. The key that each of them uses tells which one it was that asked the provider."""

    here: LiveOxide
    there: LiveOxide
    provider: FakeProvider
    postgres: Postgres

    @property
    def both(self) -> tuple[LiveOxide, LiveOxide]:
        return self.here, self.there

    def start(self, every: int) -> None:
        """`here` is first, and so the one that checks."""
        for number, oxide in enumerate(self.both):
            oxide.environment |= {"OXIDE_HEALTH_SECONDS": str(every), VARIABLE: key_of(number)}
            oxide.start()
            wait_until(lambda oxide=oxide: last_check(oxide, "mine"))  # type: ignore[misc]

    def checks(self, service: str = "mine") -> list[str]:
        """The key of each check there was."""
        return [
            request.headers["authorization"].removeprefix("Bearer ")
            for request in self.provider.requests_to(service)
            if request.method == "GET"
        ]

    def checked_by(self, times: int = 3) -> set[str]:
        """The keys of the next few checks."""
        seen = len(self.checks())
        wait_until(lambda: len(self.checks()) >= seen + times)
        return set(self.checks()[seen:])


def key_of(number: int) -> str:
    return f"key-of-process-{number}"


HERE, THERE = key_of(0), key_of(1)


@pytest.fixture
def pair(live: LiveOxide, tmp_path: Path, provider: FakeProvider) -> Iterator[Pair]:
    (tmp_path / "other").mkdir()
    other = LiveOxide(tmp_path / "other")
    with Postgres() as postgres, postgres.database("pair") as url, Redis() as redis:
        live.environment |= {"DATABASE_URL": url, "REDIS_URL": redis.url}
        live.environment["OXIDE_SECRET_KEY"] = "one secret key for both processes"
        other.environment |= live.environment
        live.declare("mine", provider.base_url("openai", service="mine"), api="openai", api_key_env=VARIABLE)
        live.declare("spare", provider.base_url("openai", service="spare"), api="openai")
        other.config = live.config
        try:
            yield Pair(live, other, provider, postgres)
        finally:
            other.kill()
            live.kill()


def last_check(oxide: LiveOxide, service: str) -> str | None:
    """The time of it."""
    known: str | None = oxide.get(f"/api/services/{service}/").json()["health"]["checked_at"]
    return known


def shown(oxide: LiveOxide, service: str = "mine") -> dict[str, Any]:
    """All of a service's answer that a check decides."""
    body = oxide.get(f"/api/services/{service}/").json()
    return {name: body[name] for name in ("healthy", "health", "models")}


def test_one_checks_for_both_and_the_other_takes_over_when_it_is_killed(pair: Pair) -> None:
    pair.start(every=1)
    assert pair.checked_by() == {HERE}
    pair.here.kill()
    wait_until(lambda: THERE in pair.checks(), seconds=60)
    assert pair.checked_by() == {THERE}
    pair.here.start()
    assert pair.checked_by() == {THERE}
    # One that ends well hands over at once, and not when its time is over.
    assert pair.there.stop() == 0
    wait_until(lambda: pair.checks()[-1] == HERE)
    assert pair.checked_by() == {HERE}


def test_both_know_the_same_whoever_checked(pair: Pair) -> None:
    pair.start(every=3600)
    for service in ("mine", "spare"):
        wait_until(lambda service=service: last_check(pair.there, service))  # type: ignore[misc]
        assert shown(pair.here, service) == shown(pair.there, service)
    assert shown(pair.there)["models"] == ["alpha", "beta"]
    assert pair.checks() == [HERE]
    pair.provider.misbehave("status", service="mine", status=401)
    assert not pair.there.post("/api/services/mine/test/").json()["healthy"]
    wait_until(lambda: not shown(pair.here)["healthy"])
    assert shown(pair.here) == shown(pair.there)
    assert pair.checks() == [HERE, THERE]


def test_a_service_that_falls_ill_is_called_last_by_both_and_told_of_once(pair: Pair) -> None:
    pair.start(every=1)
    for oxide in pair.both:
        wait_until(lambda oxide=oxide: shown(oxide)["healthy"] and shown(oxide, "spare")["healthy"])  # type: ignore[misc]
    with connect(pair.there.url.replace("http", "ws") + "/ws", proxy=None) as connection:
        assert json.loads(connection.recv(30))["data"]["services"]["mine"]["healthy"]
        pair.provider.misbehave("status", service="mine", status=401)
        for oxide in pair.both:
            wait_until(lambda oxide=oxide: not shown(oxide)["healthy"])  # type: ignore[misc]
            assert oxide.execute().json()["service_used"] == "spare"
        assert pair.provider.calls_to("mine") == 0
        pair.provider.behave("mine")
        for oxide in pair.both:
            wait_until(lambda oxide=oxide: shown(oxide)["healthy"])  # type: ignore[misc]
            assert oxide.execute().json()["service_used"] == "mine"
        told: list[bool] = []
        while told[-1:] != [True]:
            event = json.loads(connection.recv(30))
            if event["type"] == "service_status" and event["service"] == "mine":
                told.append(event["data"]["healthy"])
        assert told == [False, True]
    assert set(pair.checks()) == {HERE}


def test_a_service_that_is_changed_is_checked_anew_and_one_that_is_disabled_is_forgotten_by_both(pair: Pair) -> None:
    pair.start(every=3600)
    before = last_check(pair.here, "spare")
    pair.provider.misbehave("status", service="spare", status=401)
    with pair.postgres.connect("pair") as database:
        database.execute("UPDATE services_service SET model = 'beta' WHERE name = 'spare'")
        database.execute("UPDATE snapshots_revision SET number = number + 1 WHERE name = 'services'")
    for oxide in pair.both:
        wait_until(lambda oxide=oxide: last_check(oxide, "spare") not in (None, before))  # type: ignore[misc]
        assert not shown(oxide, "spare")["healthy"]
    assert pair.there.post("/api/services/spare/disable/").ok
    for oxide in pair.both:
        wait_until(lambda oxide=oxide: last_check(oxide, "spare") is None)  # type: ignore[misc]


def test_while_the_database_is_away_each_checks_by_itself_and_afterwards_one_does_again(pair: Pair) -> None:
    pair.start(every=1)
    assert pair.checked_by() == {HERE}
    pair.postgres.stop()
    wait_until(lambda: pair.checked_by(times=6) == {HERE, THERE})
    for oxide in pair.both:
        assert shown(oxide)["healthy"]
    pair.postgres.start()
    wait_until(lambda: len(pair.checked_by()) == 1)
    assert pair.checked_by() == pair.checked_by()
