"""What every test may rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from apikeys import keyring
from services import connections, health
from services.breaker import breakers
from services.models import Service
from services.pauses import pauses
from services.places import bulkhead
from snapshots import snapshot
from tasks.recorder import recorder
from tests import taps
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.watch import watch


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The test database in the mode in which `serve` puts the real one."""
    if connection.vendor == "sqlite":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")


@pytest.fixture(autouse=True, scope="session")
def watched() -> Iterator[None]:
    with taps.opened():
        yield


@pytest.fixture(autouse=True, scope="module")
def no_secret_comes_out_in_the_end(watched: None) -> Iterator[None]:
    """As below, of what a module's own processes leave behind."""
    yield
    _fail_for_leaks()
    watch.forget()


@pytest.fixture(autouse=True)
def no_secret_comes_out(watched: None) -> Iterator[None]:
    """Nothing that comes out of Oxide in a test may hold a secret: see `tests/watch.py`."""
    yield
    watch.read_on()
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        for path in (name, f"{name}-wal"):
            watch.note_file(Path(path))
    _fail_for_leaks()


def _fail_for_leaks() -> None:
    if leaks := watch.take():
        pytest.fail(f"A secret came out: {'; '.join(leaks)}.", pytrace=False)


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    """Each test begins with a process that knows nothing yet."""
    yield
    recorder.stop()
    connections.close_all()
    snapshot.forget_all()
    keyring._last.clear()
    keyring._used.clear()
    health.forget_all()
    bulkhead._last_end.clear()
    breakers.clear()
    pauses.clear()


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def client() -> APIClient:
    return APIClient()


@pytest.fixture
def service(transactional_db: None, provider: FakeProvider) -> Callable[..., Service]:
    """Make a service that calls the fake provider, which knows it by its name."""

    def make(name: str = "first", api: str = "openai", **fields: Any) -> Service:
        defaults = {"base_url": provider.base_url(api, service=name), "model": "alpha", "max_retries": 0}
        return Service.objects.create(name=name, api=api, **{**defaults, **fields})

    return make


@pytest.fixture
def live(tmp_path: Path, provider: FakeProvider) -> Iterator[LiveOxide]:
    """A real `manage.py serve` with a database and a configuration of its own, not started yet."""
    oxide = LiveOxide(tmp_path)
    try:
        yield oxide
    finally:
        oxide.kill()
