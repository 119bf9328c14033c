"""What is known of services in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from services import directory, health
from services.health import Health
from services.models import Service
from services.signals import health_changed
from tests.fake_provider import FakeProvider

Make = Callable[..., Service]
WELL = Health(healthy=True, checked_at=timezone.now(), response_ms=1.5)
ILL = replace(WELL, healthy=False, detail="cannot be reached")


@pytest.fixture
def told() -> Iterator[list[tuple[str, bool]]]:
    """The changes that were signalled."""
    changes: list[tuple[str, bool]] = []

    def note(service: str, health: Health, **_signal: Any) -> None:
        changes.append((service, health.healthy))

    health_changed.connect(note)
    yield changes
    health_changed.disconnect(note)


def test_a_change_is_told_once_whoever_found_it_out(told: list[tuple[str, bool]]) -> None:
    for heard in (ILL, replace(ILL, response_ms=9.0), WELL, replace(WELL, response_ms=9.0)):
        health.hear("first", heard)
    assert told == [("first", False), ("first", True)]
    health._learn("first", WELL)
    health.note_success("first")
    assert len(told) == 2
    health._learn("first", ILL)
    health.note_success("first")
    assert told[2:] == [("first", False), ("first", True)]


def test_what_was_found_out_here_outweighs_what_is_heard_until_it_was_told() -> None:
    health._learn("first", WELL)
    health.hear("first", ILL)
    health.hear("first", None)
    assert health.of("first") == WELL
    health.note_told(health.untold())
    health.hear("first", ILL)
    assert health.of("first") == ILL
    health.hear("first", None)
    assert health.of("first") is None


def test_what_is_found_out_while_others_are_told_is_told_next() -> None:
    health._learn("first", ILL)
    news = health.untold()
    health._learn("first", WELL)
    health.note_told(news)
    assert health.untold() == {"first": WELL}


def test_only_the_call_that_shows_a_service_to_be_well_again_is_worth_telling() -> None:
    health.hear("first", ILL)
    health.note_success("first")
    news = health.untold()
    assert news["first"].healthy
    health.note_told(news)
    health.note_success("first")
    health.note_success("never checked")
    assert health.untold() == {}


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
