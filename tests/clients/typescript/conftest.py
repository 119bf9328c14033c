"""The installed client, and one Oxide over a fake provider for all that want nothing special of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import canary
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.typescript import Workspace, installed
from tests.waiting import wait_until

KEY = canary.provider_key("typescript")
# Services that are asked only by name. A test lets them misbehave.
ON_REQUEST = ("left", "aborted", "hanging", "breaking", "failing")


@pytest.fixture(scope="session")
def project() -> Path:
    return installed()


@pytest.fixture(scope="module")
def workspace(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"), project)


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="session")
def shared_oxide(tmp_path_factory: pytest.TempPathFactory, provider: FakeProvider) -> Iterator[LiveOxide]:
    live = LiveOxide(Path(tmp_path_factory.mktemp("oxide")))
    # Looked at once: a service that misbehaves later would be taken for ill.
    live.environment["OXIDE_HEALTH_SECONDS"] = "3600"
    price = {"input_per_million": 1, "output_per_million": 2}
    for name, api in (("first", "openai"), ("second", "anthropic")):
        live.declare(name, provider.base_url(api, service=name), api=api, max_retries=0, price=price)
    for name in ON_REQUEST:
        live.declare(name, provider.base_url("openai", service=name), default=False, api="openai", max_retries=0)
    live.declare(
        "keyed",
        provider.base_url("openai", service="keyed"),
        default=False,
        api="openai",
        api_key_env="TYPESCRIPT_TEST_KEY",
        api_key=KEY,
    )
    live.config["security"] = {"cors_origins": ["http://app.example.com"]}
    try:
        live.start()
        wait_until(lambda: live.get("/api/services/").json()["healthy"] == len(live.config["services"]))
        yield live
    finally:
        live.kill()


@pytest.fixture
def oxide(shared_oxide: LiveOxide, provider: FakeProvider) -> Iterator[LiveOxide]:
    yield shared_oxide
    provider.reset()
    # A call that goes well in between, or the service would be left alone after some failures.
    assert shared_oxide.execute(service="failing").status_code == 200
    provider.hangups = 0


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveOxide]:
    """One that asks who calls."""
    live = LiveOxide(Path(tmp_path_factory.mktemp("guarded")))
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    try:
        yield live.start()
    finally:
        live.kill()
