"""The documentation is a promise: a machine tries what it allows and what it forbids."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import canary
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.people import bearer

# 400 beside what schemathesis expects where the data is as documented.
ACCEPTED = ["2xx", "3xx", "400", "401", "403", "404", "409", "429", "5xx"]
# How many requests are drawn for each operation, in each phase. 200 take two minutes.
EXAMPLES = int(os.environ.get("OXIDE_TEST_FUZZ_EXAMPLES", "25"))

COMPLETED = "/api/tasks/history/?status=completed"

CONFIG = f"""

generation.max-examples = {EXAMPLES}
generation.deterministic = true
generation.database = "none"

# Random names seldom are those of services. What disables a service seldom names the one that does the tasks.
[dictionaries]
named.values = ["spare", "echo"]
asked.values = ["fake", "echo", "auto"]
models.values = ["auto", "auto/chat", "fake", "fake/alpha", "alpha", "echo"]

[parameters]
"path.name" = {{ dictionary = "named", probability = 0.7 }}
"path.service" = {{ dictionary = "named", probability = 0.7 }}
"body.service" = {{ dictionary = "asked", probability = 0.7 }}
"body.model" = {{ dictionary = "models", probability = 0.7 }}
"path.model" = {{ dictionary = "models", probability = 0.7 }}

# That a task fails because of its service, and how, is documented. What is not is a 500.
[[operations]]
include-path = [
    "/api/tasks/execute/", "/api/services/{{name}}/models/", "/v1/chat/completions/", "/v1/completions/",
    "/v1/embeddings/", "/v1/messages/", "/v1/responses/",
]
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "502", "503", "504"]

# What follows are the operations that refuse with 400 what JSON Schema cannot forbid. 405, 406, 413 and 415 are
# expected of none.
# Here: services that are not there, a tool_choice that is not among the tools, images that are not base64, and numbers
# and characters that nothing can store.
[[operations]]
include-path = ["/api/tasks/execute/", "/api/routing/explain/"]
checks.positive_data_acceptance.expected-statuses = {ACCEPTED}

# Services that are not there, and ids that other rules have.
[[operations]]
include-path-regex = "^/api/routing/rules/"
include-method = ["POST", "PUT", "PATCH"]
checks.positive_data_acceptance.expected-statuses = {ACCEPTED}

# Services that take no key.
[[operations]]
include-path-regex = "^/api/api-keys/(status/.+|test/|update/)$"
checks.positive_data_acceptance.expected-statuses = {ACCEPTED}

# Names that other keys have, and days that are over.
[[operations]]
include-path = "/api/api-keys/clients/"
include-method = "POST"
checks.positive_data_acceptance.expected-statuses = {ACCEPTED}

# Parts, blocks and items of a conversation, which are read one by one; and models that nobody has. What providers
# accept beyond their documentation, such as "true" in place of true, these accept too.
[[operations]]
include-path-regex = "^/v1/"
checks.positive_data_acceptance.expected-statuses = {ACCEPTED}
checks.negative_data_rejection.enabled = false

# Tasks that have ended.
[[operations]]
include-path = "/api/tasks/{{id}}/cancel/"
checks.positive_data_acceptance.expected-statuses = {ACCEPTED}
"""

# Whoever sends a wrong key, or none, is as welcome as all others.
WITHOUT_IDENTITY = """
generation.with-security-parameters = false
checks.ignored_auth.enabled = false
"""

# A key for programs: a token would end with the first logout that is drawn. Its own id is not.
WITH_IDENTITY = 'auth.openapi.bearer.bearer = "{key}"'
KEPT_KEY = """
[[operations]]
include-path = "/api/api-keys/clients/{id}/"
parameters = { id = 4711 }
"""


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("fuzzing")]


@pytest.fixture
def oxide(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    for name in ("fake", "spare"):
        base_url = provider.base_url("openai", service=name)
        live.declare(name, base_url, api="openai", api_key=canary.provider_key("fuzzed"), default=name == "fake")
    return live


def test_the_documentation_holds_whatever_is_sent(oxide: LiveOxide, tmp_path: Path) -> None:
    oxide.start()
    _fuzz(oxide, tmp_path, WITHOUT_IDENTITY)
    assert oxide.get(COMPLETED).json()["total"] >= 10  # what it sent was not all refused


def test_the_documentation_holds_with_identity_on_and_no_operation_is_open(oxide: LiveOxide, tmp_path: Path) -> None:
    oxide.environment["OXIDE_AUTH_ENABLED"] = "true"
    oxide.start()
    body = {"username": "admin", "password": oxide.admin_password}
    token = oxide.post("/auth/login", json=body).json()["access_token"]
    wanted = {"name": "fuzzer", "scopes": ["read", "execute", "admin"]}
    key = oxide.post("/api/api-keys/clients/", json=wanted, headers=bearer(token)).json()["key"]
    _fuzz(oxide, tmp_path, WITH_IDENTITY.format(key=key), KEPT_KEY)
    done = oxide.get(COMPLETED, headers=bearer(key))
    assert done.status_code == 200, done.text
    assert done.json()["total"] >= 10


def _fuzz(live: LiveOxide, folder: Path, identity: str, more: str = "") -> None:
    config = folder / "schemathesis.toml"
    config.write_text(identity + CONFIG + more)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", "--no-color"]
    report = subprocess.run(
        [*command, "--continue-on-failure", f"{live.url}/openapi.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.returncode == 0, report.stdout + report.stderr
    assert not re.search("ERROR|CRITICAL|Traceback", live.log), live.log
