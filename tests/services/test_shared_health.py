"""What goes from process to process. That these are real is seen in tests/journeys/test_shared_health.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from services import health, shared_health
from services.health import Health
from services.models import Service, SharedHealth
from snapshots import lease
from snapshots.lease import Claim
from snapshots.models import Lease, Revision
from snapshots.snapshot import follow_all

Make = Callable[..., Service]
VARIABLE = "SHARED_HEALTH_TEST_KEY"
ILL = Health(False, timezone.now(), 1.5, "says \x00 nothing", frozenset({"alpha", "beta"}), refused=True)
WELL = replace(ILL, healthy=True, detail="", refused=False)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    """As on PostgreSQL, on whichever database the tests run."""
    monkeypatch.setattr(shared_health, "is_embedded", lambda: False)
    monkeypatch.setattr(shared_health, "_duty", Claim("health checks"))
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.0)


def learn(service: str, found: Health) -> None:
    health._revise(service, lambda _: found)


def found_elsewhere(service: str, found: Health) -> None:
    """What another process does."""
    with transaction.atomic():
        SharedHealth.objects.filter(service=service).delete()
        shared_health._row(service, found).save(force_insert=True)
        Revision.bump("health")


def checked_elsewhere() -> Claim:
    """Another process has the duty."""
    other = Claim("health checks")
    assert takes_duty(other)
    return other


def takes_duty(process: Claim) -> bool:
    process.renew()
    return process.is_held


@pytest.mark.usefixtures("several")
def test_what_is_found_out_here_reaches_the_others_unchanged(service: Make) -> None:
    service("first")
    service("called", health_enabled=False)
    more = {"list_problem": "none", "timed_out": True, "succeeded_at": ILL.checked_at, "failed_at": ILL.checked_at}
    learn("first", replace(ILL, detail="says nothing", **more))  # type: ignore[arg-type]
    learn("called", replace(health.NOTHING, healthy=True, succeeded_at=ILL.checked_at))
    shared_health.exchange()
    assert shared_health._load() == {name: health.of(name) for name in ("first", "called")}
    assert health.untold() == {}


@pytest.mark.usefixtures("several")
def test_text_that_postgresql_does_not_take_is_made_fit(service: Make) -> None:
    service("first")
    learn("first", replace(ILL, models=frozenset({"half a pair: \ud800"})))
    shared_health.exchange()
    row = SharedHealth.objects.get()
    assert (row.detail, row.listed_models) == ("says \ufffd nothing", ["half a pair: \ufffd"])


@pytest.mark.usefixtures("several")
def test_what_another_found_out_is_known_here() -> None:
    checked_elsewhere()
    shared_health.exchange()
    for found in (WELL, replace(ILL, detail="")):
        found_elsewhere("first", found)
        follow_all()
        assert health.of("first") == found


@pytest.mark.usefixtures("several")
def test_a_call_that_went_well_here_counts_here_at_once_and_then_everywhere() -> None:
    checked_elsewhere()
    shared_health.exchange()
    found_elsewhere("first", replace(ILL, detail=""))
    follow_all()
    health.note_success("first")
    known = health.of("first")
    assert known is not None
    assert known.healthy
    shared_health.exchange()
    assert shared_health._load() == {"first": known}


@pytest.mark.usefixtures("several")
def test_nothing_is_written_where_nothing_is_new(service: Make) -> None:
    service("first")
    learn("first", WELL)
    health.note_success("first")
    shared_health.exchange()
    before = Revision.numbers()
    health.note_success("first")
    shared_health.exchange()
    assert Revision.numbers() == before


@pytest.mark.usefixtures("several")
def test_what_was_forgotten_here_does_not_come_back_by_itself() -> None:
    checked_elsewhere()
    found_elsewhere("first", WELL)
    shared_health.exchange()
    health.forget("first")  # it was changed, or got another key
    found_elsewhere("second", WELL)
    follow_all()
    assert health.of("first") is None
    again = replace(WELL, response_ms=2.5)
    found_elsewhere("first", again)
    follow_all()
    assert health.of("first") == again


@pytest.mark.usefixtures("several")
def test_who_checks_clears_away_what_is_not_checked_any_more(service: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    service("kept")
    service("disabled", enabled=False)
    service("keyless", api_key_env=VARIABLE)
    for name in ("kept", "disabled", "keyless", "removed"):
        found_elsewhere(name, WELL)
    other = checked_elsewhere()
    shared_health.exchange()
    assert SharedHealth.objects.count() == 4  # that is for the other to do
    assert health.of("removed") == WELL
    other.give_back()
    shared_health.exchange()
    assert [row.service for row in SharedHealth.objects.all()] == ["kept"]
    known = [name for name in ("kept", "disabled", "keyless", "removed") if health.of(name)]
    assert known == ["kept"]


@pytest.mark.usefixtures("several")
def test_what_processes_left_long_ago_says_nothing() -> None:
    checked_elsewhere()
    found_elsewhere("first", WELL)
    SharedHealth.objects.update(stored_at=timezone.now() - timedelta(hours=3))
    shared_health.exchange()
    assert health.of("first") is None


@pytest.mark.usefixtures("several")
def test_what_is_known_lasts_until_the_next_check_should_have_been_made(service: Make) -> None:
    service("often")
    service("seldom", health_interval=3600)
    service("never", health_enabled=False)
    for name in ("often", "seldom", "never"):
        found_elsewhere(name, WELL)
    assert lasting(timedelta(minutes=3)) == {"seldom", "never"}
    assert lasting(timedelta(hours=1)) == {"seldom"}
    assert lasting(timedelta(hours=3)) == set()


def lasting(age: timedelta) -> set[str]:
    """Which services something is known of where it was stored so long ago."""
    SharedHealth.objects.update(stored_at=timezone.now() - age)
    return set(shared_health._load())


@pytest.mark.usefixtures("several")
def test_one_checks_for_all_and_hands_over_as_it_ends() -> None:
    shared_health.exchange()
    assert shared_health.is_ours_to_check()
    other = Claim("health checks")
    assert not takes_duty(other)
    shared_health.end()
    assert not shared_health.is_ours_to_check()
    assert takes_duty(other)
    shared_health.exchange()
    assert not shared_health.is_ours_to_check()


@pytest.mark.usefixtures("several")
def test_while_the_database_is_away_each_checks_and_keeps_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> bool:
        raise OperationalError("away")

    checked_elsewhere()
    found_elsewhere("first", WELL)
    shared_health.exchange()
    assert not shared_health.is_ours_to_check()
    with monkeypatch.context() as outage:
        outage.setattr(Lease, "take", away)
        with pytest.raises(OperationalError):
            shared_health.exchange()
        assert shared_health.is_ours_to_check()
        assert health.of("first") == WELL
        learn("first", replace(ILL, detail=""))
    shared_health.exchange()
    assert not shared_health.is_ours_to_check()
    assert not shared_health._load()["first"].healthy


@pytest.mark.django_db(transaction=True)
def test_alone_with_sqlite_everything_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_health, "is_embedded", lambda: True)
    learn("first", WELL)
    shared_health.exchange()
    shared_health.end()
    assert shared_health.is_ours_to_check()
    assert not SharedHealth.objects.exists()
    assert not Lease.objects.exists()
