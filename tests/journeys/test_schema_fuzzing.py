"""The documentation is a promise: a machine tries what it allows and what it forbids."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide

# How many requests are drawn for each operation, in each phase. 200 takes some minutes.
EXAMPLES = int(os.environ.get("OXIDE_TEST_FUZZ_EXAMPLES", "25"))

CONFIG = f"""
[generation]
max-examples = {EXAMPLES}
deterministic = true
database = "none"
# Identity is off: whoever sends a wrong key, or none, is as welcome as all others.
with-security-parameters = false

[checks]
ignored_auth.enabled = false
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.xdist_group("fuzzing")
def test_the_documentation_holds_whatever_is_sent(live: LiveOxide, provider: FakeProvider, tmp_path: Path) -> None:
    live.declare("fake", provider.base_url("openai"), api="openai", api_key="sk-first")
    live.start()
    report = _fuzz(live, tmp_path)
    assert report.returncode == 0, report.stdout + report.stderr
    assert "ERROR" not in live.log, live.log
    assert "Traceback" not in live.log, live.log


def _fuzz(live: LiveOxide, folder: Path) -> subprocess.CompletedProcess[str]:
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", "--no-color"]
    return subprocess.run(
        [*command, "--continue-on-failure", f"{live.url}/openapi.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
