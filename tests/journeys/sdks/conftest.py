"""One Oxide over a provider of each kind, for all the programs that are written for other APIs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until

KINDS = ("openai", "ollama", "anthropic", "gemini")


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        fake.unknown_models = frozenset({"nobody-has-it"})
        yield fake


@pytest.fixture(scope="module")
def oxide(tmp_path_factory: pytest.TempPathFactory, provider: FakeProvider) -> Iterator[LiveOxide]:
    live = LiveOxide(Path(tmp_path_factory.mktemp("oxide")))
    live.environment |= {"OXIDE_RATE_LIMIT_ANON": "100000/m"}
    for kind in KINDS:
        price = {"input_per_million": 1, "output_per_million": 2}
        live.declare(kind, provider.base_url(kind), api=kind, max_retries=0, price=price)
    live.config["services"]["cli"] = {"type": "cli", "command": ["cat"], "model": "cat"}
    try:
        live.start()
        # Each has told its models: until then it is asked for whatever a client names.
        wait_until(lambda: live.get("/v1/models").text.count("/beta") == len(KINDS))
        yield live
    finally:
        live.kill()


@pytest.fixture(autouse=True)
def well_behaved(provider: FakeProvider, oxide: LiveOxide) -> Iterator[None]:
    yield
    provider.reset()
    # A call that goes well in between, or the service would be left alone after some failures.
    assert oxide.execute(service="openai").status_code == 200
    provider.requests.clear()
    provider.hangups = 0
