"""The SDKs for JavaScript against Oxide."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.fake_dialects import vector_of
from tests.fake_provider import TEXT, FakeProvider
from tests.live import ROOT, LiveOxide
from tests.programs import program

NODE = ROOT / "tests" / "node"
INSTALLED = ("package.json", "package-lock.json")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node")]  # the packages are fetched once


@pytest.fixture(scope="session")
def packages() -> Path:
    """Scripts and packages side by side, outside of the project; the packages are fetched once for each lock file."""
    npm = program("npm")
    digest = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"oxide-node-{digest}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as around:
            made = Path(around) / "made"
            made.mkdir()
            for name in INSTALLED:
                shutil.copy(NODE / name, made)
            subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=made, check=True, timeout=300
            )
            made.rename(folder)  # whole or not at all
    return folder


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
