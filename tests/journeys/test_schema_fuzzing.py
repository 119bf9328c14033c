"""The documentation is a promise: a machine tries what it allows and what it forbids."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide

# How many requests are drawn for each operation, in each phase. 200 take two minutes.
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

# Random names seldom are those of services. What disables a service seldom names the one that does the tasks.
[dictionaries]
named.values = ["spare", "echo"]
asked.values = ["fake", "echo", "auto"]

[parameters]
"path.name" = {{ dictionary = "named", probability = 0.7 }}
"path.service" = {{ dictionary = "named", probability = 0.7 }}
"body.service" = {{ dictionary = "asked", probability = 0.7 }}

# That a task fails because of its service, and how, is documented. What is not is a 500.
[[operations]]
include-path = ["/api/tasks/execute/", "/api/services/{{name}}/models/"]
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "502", "503", "504"]

# What follows are the operations that refuse with 400 what JSON Schema cannot forbid.
# Here: services that are not there, a tool_choice that is not among the tools, images that are not base64, and numbers
# and characters that nothing can store.
[[operations]]
include-path = ["/api/tasks/execute/", "/api/routing/explain/"]
checks.positive_data_acceptance.enabled = false

# Services that are not there, and ids that other rules have.
[[operations]]
include-path-regex = "^/api/routing/rules/"
include-method = ["POST", "PUT", "PATCH"]
checks.positive_data_acceptance.enabled = false

# Services that take no key.
[[operations]]
include-path-regex = "^/api/api-keys/(status/.+|test/|update/)$"
checks.positive_data_acceptance.enabled = false

# Names that other keys have, and days that are over.
[[operations]]
include-path = "/api/api-keys/clients/"
include-method = "POST"
checks.positive_data_acceptance.enabled = false

# Tasks that have ended.
[[operations]]
include-path = "/api/tasks/{{id}}/cancel/"
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.xdist_group("fuzzing")
def test_the_documentation_holds_whatever_is_sent(live: LiveOxide, provider: FakeProvider, tmp_path: Path) -> None:
    for name in ("fake", "spare"):
        base_url = provider.base_url("openai", service=name)
        live.declare(name, base_url, api="openai", api_key="sk-first", default=name == "fake")
    live.start()
    report = _fuzz(live, tmp_path)
    assert report.returncode == 0, report.stdout + report.stderr
    assert not re.search("ERROR|CRITICAL|Traceback", live.log), live.log
    done = live.get("/api/tasks/history/", params={"status": "completed"}).json()
    assert done["total"] >= 10  # what it sent was not all refused


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
