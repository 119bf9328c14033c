from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from snapshots import lease
from snapshots.lease import Claim
from snapshots.models import Lease

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `renew` asks the database."""
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.0)


def renewed(*claims: Claim) -> list[bool]:
    for claim in claims:
        claim.renew()
    return [claim.is_held for claim in claims]


def run_out() -> None:
    """What time does once its holder is dead."""
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))


def test_one_of_several_has_it_and_keeps_it() -> None:
    first, second = Claim("duty"), Claim("duty")
    assert not first.is_held
    assert renewed(first, second) == [True, False]
    assert renewed(second, first) == [False, True]


def test_each_name_is_a_lease_of_its_own() -> None:
    assert renewed(Claim("duty"), Claim("other")) == [True, True]


def test_it_is_extended_from_time_to_time() -> None:
    claim = Claim("duty")
    claim.renew()
    earlier = Lease.objects.get().until - timedelta(seconds=1)  # the database's clock may stand still for a millisecond
    Lease.objects.update(until=earlier)
    claim.renew()
    assert Lease.objects.get().until > earlier


def test_what_a_dead_process_held_goes_to_another_once_its_time_is_over() -> None:
    dead, other = Claim("duty"), Claim("duty")
    assert renewed(dead, other) == [True, False]
    run_out()
    assert renewed(other) == [True]
    assert renewed(dead) == [False]  # it was only slow


def test_a_process_that_cannot_renew_it_knows_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.0)
    assert renewed(Claim("duty")) == [False]


def test_what_is_given_back_is_free_at_once() -> None:
    first, second = Claim("duty"), Claim("duty")
    assert renewed(first, second) == [True, False]
    second.give_back()  # was never his
    assert renewed(second) == [False]
    first.give_back()
    assert not first.is_held
    assert renewed(second, first) == [True, False]


def test_the_database_is_asked_every_few_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 3600.0)
    claim = Claim("duty")
    claim.renew()
    Lease.objects.all().delete()
    assert renewed(claim) == [True]
    assert not Lease.objects.exists()


def test_while_the_database_is_away_who_holds_it_is_unclear(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> bool:
        raise OperationalError("away")

    claim = Claim("duty")
    claim.renew()
    with monkeypatch.context() as outage:
        outage.setattr(Lease, "take", away)
        outage.setattr(Lease, "give_back", away)
        with pytest.raises(OperationalError):
            claim.renew()
        assert claim.is_unclear
        assert claim.is_held  # nobody else can have taken it yet
        claim.give_back()
        assert "another process takes over" in caplog.text
    claim.renew()
    assert (claim.is_unclear, claim.is_held) == (False, True)


def test_of_many_that_want_it_at_the_same_moment_one_gets_it() -> None:
    def take(holder: uuid.UUID) -> bool:
        try:
            return Lease.take("duty", holder, 60)
        finally:
            connection.close()

    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(take, [uuid.uuid4() for _ in range(8)])) == 1
        run_out()
