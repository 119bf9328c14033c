"""What is known of services in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from services import directory, health
from services.adapters.base import ErrorKind, ProviderError, Reply
from services.health import Health
from services.models import Service
from services.places import bulkhead
from services.signals import health_changed
from tests.fake_provider import FakeProvider

Make = Callable[..., Service]
WELL = Health(healthy=True, checked_at=timezone.now(), response_ms=1.5)
ILL = replace(WELL, healthy=False, detail="cannot be reached")


def learn(service: str, found: Health) -> None:
    health._revise(service, lambda _: found)


def known(service: str) -> Health:
    found = health.of(service)
    assert found is not None
    return found


@pytest.fixture
def told() -> Iterator[list[tuple[str, bool | None]]]:
    """The changes that were signalled."""
    changes: list[tuple[str, bool | None]] = []

    def note(service: str, health: Health, **_signal: Any) -> None:
        changes.append((service, health.healthy))

    health_changed.connect(note)
    yield changes
    health_changed.disconnect(note)


def test_a_change_is_told_once_whoever_found_it_out(told: list[tuple[str, bool | None]]) -> None:
    for heard in (ILL, replace(ILL, response_ms=9.0), WELL, replace(WELL, response_ms=9.0)):
        health.hear("first", heard)
    assert told == [("first", False), ("first", True)]
    learn("first", WELL)
    health.note_success("first")
    assert len(told) == 2
    learn("first", ILL)
    health.note_success("first")
    assert told[2:] == [("first", False), ("first", True)]


def test_what_was_found_out_here_outweighs_what_is_heard_until_it_was_told() -> None:
    learn("first", WELL)
    health.hear("first", ILL)
    health.hear("first", None)
    assert health.of("first") == WELL
    health.note_told(health.untold())
    health.hear("first", ILL)
    assert health.of("first") == ILL
    health.hear("first", None)
    assert health.of("first") is None


def test_what_is_found_out_while_others_are_told_is_told_next() -> None:
    learn("first", ILL)
    news = health.untold()
    learn("first", WELL)
    health.note_told(news)
    assert health.untold() == {"first": WELL}


def test_others_are_told_of_calls_that_go_well_now_and_then() -> None:
    health.hear("first", ILL)
    health.note_success("first")
    news = health.untold()
    assert news["first"].healthy
    health.note_told(news)
    health.note_success("first")
    assert health.untold() == {}
    health.hear("first", replace(known("first"), succeeded_at=timezone.now() - timedelta(minutes=2)))
    health.note_success("first")
    assert health.untold().keys() == {"first"}


@pytest.mark.parametrize(
    "found",
    [
        replace(ILL, timed_out=True, detail="first did not answer in time."),
        replace(ILL, refused=True, detail="first answered 401."),
        ILL,
    ],
)
def test_while_calls_go_well_a_failed_check_makes_a_service_not_unhealthy(found: Health) -> None:
    before = replace(WELL, succeeded_at=timezone.now() - timedelta(minutes=1), models=frozenset({"alpha"}))
    after = health.weighed(before, found, was_busy=False)
    assert (after.healthy, after.refused, after.detail) == (True, False, "")
    assert (after.list_problem, after.models) == (found.detail, frozenset({"alpha"}))
    long_ago = replace(before, succeeded_at=timezone.now() - health.RECENT, timed_out=True)
    assert health.weighed(long_ago, found, was_busy=False).healthy is False


def test_a_service_is_unhealthy_after_the_second_check_in_a_row_without_an_answer() -> None:
    silent = replace(ILL, timed_out=True, detail="first did not answer in time.")
    once = health.weighed(WELL, silent, was_busy=False)
    assert (once.healthy, once.timed_out) == (True, True)
    assert health.weighed(once, silent, was_busy=False).healthy is False
    answered = health.weighed(once, WELL, was_busy=False)
    assert health.weighed(answered, silent, was_busy=False).healthy is True
    assert health.weighed(None, silent, was_busy=False).healthy is None


def test_a_check_without_an_answer_does_not_count_while_a_call_is_in_flight() -> None:
    silent = replace(ILL, timed_out=True, detail="first did not answer in time.")
    after = health.weighed(WELL, silent, was_busy=True)
    for _ in range(3):
        after = health.weighed(after, silent, was_busy=True)
    assert (after.healthy, after.timed_out) == (True, False)
    assert health.weighed(WELL, ILL, was_busy=True).healthy is False, "it takes no connection at all"


def test_a_list_that_was_read_once_is_kept_until_another_one_is_read() -> None:
    listed = replace(WELL, models=frozenset({"alpha"}))
    unreadable = replace(WELL, list_problem="first answered 404.")
    for found in (unreadable, ILL):
        assert health.weighed(listed, found, was_busy=False).models == {"alpha"}
    other = replace(WELL, models=frozenset({"beta"}))
    assert health.weighed(listed, other, was_busy=False).models == {"beta"}


def test_a_call_that_finds_no_connection_or_a_rejected_key_makes_a_service_unhealthy_at_once() -> None:
    learn("away", replace(WELL, succeeded_at=timezone.now()))
    health.note_failure("away", ProviderError(ErrorKind.CONNECT, "away cannot be reached."))
    assert (known("away").healthy, known("away").detail) == (False, "away cannot be reached.")
    health.note_failure("locked", ProviderError(ErrorKind.AUTH, "locked answered 401.", status=401))
    assert (known("locked").healthy, known("locked").refused) == (False, True)
    health.note_success("locked")
    assert (known("locked").healthy, known("locked").refused, known("locked").failed_at) == (True, False, None)


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - {ErrorKind.CONNECT, ErrorKind.AUTH}))
def test_no_other_failure_of_a_call_makes_a_service_unhealthy(kind: ErrorKind) -> None:
    learn("first", WELL)
    health.note_failure("first", ProviderError(kind, "first failed."))
    assert known("first") == WELL


def test_failures_that_say_nothing_of_the_next_call_do_not_count() -> None:
    learn("first", WELL)
    begun = Reply(model="alpha", text="Hel")
    health.note_failure("first", ProviderError(ErrorKind.CONNECT, "first broke the connection.", partial=begun))
    health.note_failure("first", ProviderError(ErrorKind.AUTH, "first answered 403.", status=403))
    health.note_success("first")
    health.note_failure("first", ProviderError(ErrorKind.CONNECT, "first reset the connection."))
    assert known("first").healthy is True


def test_a_check_cannot_clear_a_key_that_calls_just_found_rejected_but_shows_a_server_to_be_back() -> None:
    health.note_failure("locked", ProviderError(ErrorKind.AUTH, "locked answered 401.", status=401))
    health.note_failure("away", ProviderError(ErrorKind.CONNECT, "away cannot be reached."))
    assert health.weighed(known("locked"), WELL, was_busy=False).refused is True
    assert health.weighed(known("away"), WELL, was_busy=False).healthy is True
    long_ago = replace(known("locked"), failed_at=timezone.now() - health.RECENT)
    assert health.weighed(long_ago, WELL, was_busy=False).healthy is True


def test_a_slow_server_whose_list_waits_behind_a_completion_is_not_unhealthy(
    service: Make, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = service("first").config
    health.check(config)
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.1)
    provider.misbehave("hang")
    with bulkhead.enter("first", 1):
        for _ in range(3):
            assert health.check(config).timed_out
    assert known("first").healthy is True
    health.check(config)  # the call has just ended
    assert known("first").healthy is True
    idle = service("idle").config
    for _ in range(2):
        health.check(idle)
    assert known("idle").healthy is False


def test_a_service_that_was_changed_is_forgotten_and_one_that_was_only_saved_is_not(
    service: Make, provider: FakeProvider
) -> None:
    changed, saved, removed = service("changed"), service("saved"), service("removed")
    directory.current()
    for row in (changed, saved, removed):
        assert health.check(row.config).healthy
    changed.model = "beta"
    for row in (changed, saved):
        row.save()
    removed.delete()
    assert [bool(health.of(name)) for name in ("changed", "saved", "removed")] == [False, True, False]
    assert health.untold().keys() == {"saved"}


def test_a_change_by_another_process_is_noticed_too(service: Make) -> None:
    row = service("first")
    directory.current()
    health.check(row.config)
    Service.objects.update(model="beta")  # sends no signal here, like whatever others do
    directory.directory.reload()
    assert health.of("first") is None
