from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import caches
from pytest_django import Settings

from apikeys import client_keys
from snapshots import snapshot

Limit = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    caches["counters"].clear()
    client_keys.forget_uses()
    yield
    caches["counters"].clear()


@pytest.fixture
def identity_on(settings: Settings) -> None:
    settings.AUTH_ENABLED = True
    snapshot.forget_all()


@pytest.fixture
def limit(settings: Settings) -> Limit:
    """Set the limits of this test. Its calls are to fall into one window: days have few ends."""

    def set_limits(anonymous: str, authenticated: str) -> None:
        settings.RATE_LIMIT_ANON, settings.RATE_LIMIT_USER = anonymous, authenticated
        snapshot.forget_all()

    return set_limits


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock on."""
    real = time.time
    moved = 0.0

    def move(seconds: float) -> None:
        nonlocal moved
        moved += seconds
        monkeypatch.setattr(time, "time", lambda: real() + moved)

    return move
