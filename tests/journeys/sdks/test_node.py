"""The SDKs for JavaScript against Oxide."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fake_dialects import vector_of
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.node_packages import NODE, node_packages
from tests.programs import program

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node")]  # the packages are fetched once


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where scripts of ours find the packages."""
    return node_packages()


def run(packages: Path, script: str, oxide: LiveOxide) -> Any:
    shutil.copy(NODE / script, packages)
    done = subprocess.run(
        [program("node"), script, oxide.url], cwd=packages, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(400)
def test_openais(packages: Path, oxide: LiveOxide, provider: FakeProvider) -> None:
    calls = [["get_weather", {"city": "Oslo"}], ["get_weather", {"city": "Rom"}]]
    provider.say("gemini", tool_calls=tuple(tuple(call) for call in calls))
    seen = run(packages, "openai.mjs", oxide)
    assert seen["chat"] == seen["stream"] == seen["final"] == seen["responses"] == TEXT
    assert seen["calls"] == calls
    assert (seen["service"], seen["requestId"]) == ("anthropic", True)
    assert seen["vector"] == vector_of("quantum")
    assert {"auto", "openai/alpha"} <= set(seen["models"])
    assert (seen["events"][0], seen["events"][-1]) == ("response.created", "response.completed")
    assert seen["error"] == ["NotFoundError", 404, "model_not_found", True]


@pytest.mark.timeout(400)
def test_anthropics(packages: Path, oxide: LiveOxide) -> None:
    seen = run(packages, "anthropic.mjs", oxide)
    assert seen["message"] == seen["final"] == "".join(seen["pieces"]) == TEXT
    assert (seen["events"][0], seen["events"][-1]) == ("message_start", "message_stop")
    assert seen["tokens"] == 10
    assert {"auto", "openai/alpha"} <= set(seen["models"])
    assert seen["error"] == ["NotFoundError", 404, "not_found_error", True]
