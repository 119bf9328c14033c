"""What a reader has beside the page: an Oxide as it comes, Ollama, and a key for OpenRouter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests import canary
from tests.docs.pages import ENVIRONMENT
from tests.fake_provider import FakeProvider
from tests.live import ROOT, LiveOxide
from tests.waiting import wait_until

_CLOSED = "http://127.0.0.1:9/v1"
_RUNNING = ("ollama_local", "openrouter")


@pytest.fixture
def oxide_for(tmp_path: Path, provider: FakeProvider) -> Iterator[Callable[[str], LiveOxide]]:
    """One for a page, over a fake provider."""
    oxide = LiveOxide(tmp_path)

    def start(page: str) -> LiveOxide:
        oxide.config = yaml.safe_load((ROOT / "config" / "default.yaml").read_text())
        services = oxide.config["services"]
        models = [service["model"] for service in services.values() if "model" in service]
        provider.model_names = [*models, *(f"vendor/model-{number}" for number in range(250))]
        for name, service in services.items():
            if service["type"] == "http":
                service["base_url"] = provider.base_url(service["api"], service=name)
        services["lmstudio"]["base_url"] = _CLOSED
        limits = {"OXIDE_RATE_LIMIT_ANON": "100000/m", "OXIDE_RATE_LIMIT_USER": "100000/m"}
        key = canary.provider_key("docs")
        oxide.environment.update({**limits, "OPENROUTER_API_KEY": key, **ENVIRONMENT.get(page, {})})
        oxide.start()
        wait_until(lambda: all(map(provider.requests_to, _RUNNING)))
        return oxide

    try:
        yield start
    finally:
        oxide.kill()
