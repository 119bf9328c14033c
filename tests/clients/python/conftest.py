"""A live Oxide over the fake provider, and both clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import canary
from tests.clients.python.driving import Make, clients
from tests.fake_provider import FakeProvider
from tests.live import ROOT, LiveOxide
from tests.waiting import wait_until

PRICE = {"input_per_million": 1, "output_per_million": 2}


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    with clients(request.param) as made:
        yield made


_started: list[LiveOxide] = []


@pytest.fixture(autouse=True, scope="module")
def what_is_stored_is_searched(no_secret_comes_out_in_the_end: None) -> Iterator[None]:
    """For secrets, at the end of each module: these processes live on."""
    yield
    for oxide in _started:
        oxide.search_what_is_left()


@pytest.fixture(scope="session")
def session_provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def provider(session_provider: FakeProvider) -> FakeProvider:
    return session_provider


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, session_provider: FakeProvider) -> Iterator[LiveOxide]:
    """One process for all: `first` and `second` answer, `keyed` has a key and `keyless` none, `echo` is built in."""
    oxide = LiveOxide(tmp_path_factory.mktemp("oxide"))
    for name in ("first", "second"):
        url = session_provider.base_url("openai", service=name)
        oxide.declare(name, url, api="openai", max_retries=0, price=PRICE)
    oxide.declare(
        "keyed",
        session_provider.base_url("openai", service="keyed"),
        default=False,
        api="openai",
        max_retries=0,
        api_key_env="CLIENT_JOURNEY_KEY",
        api_key=canary.provider_key("client"),
    )
    oxide.declare(
        "keyless",
        session_provider.base_url("openai", service="keyless"),
        default=False,
        api="openai",
        api_key_env="CLIENT_JOURNEY_NO_KEY",
    )
    oxide.config["routing"]["rules"] = [{"id": "rule-1", "task_type": "chat", "service": "second", "priority": 1}]
    # One check of each service at the start, and none while a test makes the provider misbehave.
    oxide.environment["OXIDE_HEALTH_SECONDS"] = "3600"
    try:
        _started.append(oxide.start())
        wait_until(lambda: all(map(session_provider.requests_to, ("first", "second", "keyed"))))
        yield oxide
    finally:
        oxide.kill()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveOxide]:
    """One that wants to know who calls."""
    oxide = LiveOxide(tmp_path_factory.mktemp("guarded"))
    oxide.environment["OXIDE_AUTH_ENABLED"] = "true"
    try:
        _started.append(oxide.start())
        yield oxide
    finally:
        oxide.kill()


@pytest.fixture
def oxide(make: Make, live: LiveOxide, provider: FakeProvider) -> Iterator[Any]:
    """A client of each kind; afterwards the provider behaves again."""
    yield make(live.url)
    settle(live, provider)


def settle(live: LiveOxide, provider: FakeProvider) -> None:
    provider.reset()
    # Found healthy, and a call that goes well in between, or a service would be left alone after some failures.
    for name in ("first", "second"):
        assert live.post(f"/api/services/{name}/test/").json()["healthy"]
        assert live.execute(service=name).status_code == 200
    provider.requests.clear()
    provider.hangups = 0


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the package was installed, as its pyproject.toml says; `bin/oxide` is the command."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder)
    return folder


def install(folder: Path) -> None:
    uv = str(Path(sys.executable).with_name("uv"))  # it comes with the build backend
    command = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", sys.executable]
    done = subprocess.run(
        [*command, "--target", str(folder), "./clients/python"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def surroundings(installed: Path, **more: str) -> dict[str, str]:
    """The environment of a terminal in which the command is installed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OXIDE_", "NO_COLOR"))}
    # One changes what becomes of a broken pipe, the other is the width of another terminal.
    for name in ("PYTHONUNBUFFERED", "COLUMNS"):
        inherited.pop(name, None)
    path = os.pathsep.join([str(installed / "bin"), inherited.get("PATH", "")])
    return {**inherited, "PATH": path, "PYTHONPATH": str(installed), "TERM": "xterm", **more}
