from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring import health_checks
from services import health, shared_health
from services.adapters.base import ErrorKind, ProviderError
from services.health import Health
from services.models import Service
from tests.fake_provider import FakeProvider

Make = Callable[..., Service]


def asked(provider: FakeProvider) -> list[str]:
    """Who was asked since the last time."""
    names = sorted(request.service for request in provider.requests)
    provider.requests.clear()
    return names


@pytest.fixture(autouse=True)
def on_duty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_health, "is_ours_to_check", lambda: True)
    monkeypatch.setattr(health_checks, "_asked", set())


def test_each_is_asked_when_its_turn_has_come(service: Make, provider: FakeProvider) -> None:
    for name in ("first", "second"):
        service(name)
    service("disabled", enabled=False)
    service("keyless", api_key_env="HEALTH_CHECKS_TEST_KEY")
    health_checks.check_due()
    assert {request.method for request in provider.requests} == {"GET"}
    assert asked(provider) == ["first", "second"]
    health_checks.check_due()
    assert asked(provider) == []
    remember("second", timedelta(seconds=-60))
    health_checks.check_due()
    assert asked(provider) == ["second"]


def test_a_clock_that_is_ahead_elsewhere_puts_no_check_off(service: Make, provider: FakeProvider) -> None:
    service("first")
    health_checks.check_due()
    remember("first", timedelta(hours=1))
    asked(provider)
    health_checks.check_due()
    assert asked(provider) == ["first"]


def remember_well(name: str) -> None:
    health.hear(name, Health(True, timezone.now(), 1.0))


def remember(name: str, age: timedelta) -> None:
    known = health.of(name)
    assert known is not None
    health.note_told(health.untold())
    health.hear(name, replace(known, checked_at=timezone.now() + age))


def test_each_has_its_own_interval_and_some_are_never_checked(service: Make, provider: FakeProvider) -> None:
    service("often", health_interval=5)
    service("seldom", health_interval=300)
    service("never", health_enabled=False)
    health_checks.check_due()
    assert asked(provider) == ["often", "seldom"]
    for name in ("often", "seldom"):
        remember(name, timedelta(seconds=-60))
    health_checks.check_due()
    assert asked(provider) == ["often"]
    remember("seldom", timedelta(seconds=-600))
    health_checks.check_due()
    assert asked(provider) == ["seldom"]


def test_a_service_that_nobody_checks_gets_another_chance_after_a_failed_call(service: Make) -> None:
    service("never", health_enabled=False)
    health.note_failure("never", ProviderError(ErrorKind.CONNECT, "never cannot be reached."))
    failed = health.of("never")
    assert failed is not None
    health_checks.check_due()
    assert health.of("never") == failed
    health.note_told(health.untold())
    health.hear("never", replace(failed, failed_at=timezone.now() - health.RECENT))
    health_checks.check_due()
    assert health.of("never") is None


def test_what_cannot_be_called_any_more_is_forgotten(service: Make) -> None:
    service("disabled", enabled=False)
    remember_well("disabled")
    health_checks.check_due()
    assert health.of("disabled") is None


def test_nobody_is_asked_where_another_process_checks_and_everybody_by_who_takes_over(
    service: Make, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    service("first")
    health_checks.check_due()
    assert asked(provider) == ["first"]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(shared_health, "is_ours_to_check", lambda: False)
        health.forget("first")
        health_checks.check_due()
        assert asked(provider) == []
    remember_well("first")
    health_checks.check_due()
    assert asked(provider) == ["first"]
    health_checks.check_due()
    assert asked(provider) == []
