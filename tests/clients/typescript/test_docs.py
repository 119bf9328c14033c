"""What the pages about the client tell readers to type."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import yaml

from tests.documents import blocks_of
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.typescript import CLIENT, PAGE, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]

LIBRARY = ("--lib", "es2022,dom", "--types", "node", "--outDir", "compiled")
EXAMPLES = [*blocks_of(PAGE, "ts"), *blocks_of(CLIENT / "README.md", "ts")]
# What each prints, in the order of the pages.
PRINTED = [
    rf"{re.escape(TEXT)} first 0\.000042",
    r"27",
    rf"{re.escape(TEXT)}\n27 tokens",
    rf"completed {re.escape(TEXT)}",
    r"failing .+",
    r"completed",
    rf"(.+\n)+{re.escape(TEXT)}",
    r"Connected\n\[.*'first'.*\]",
    r"\[ 'admin', 'execute', 'read' \]",
    r"admin",
    r"\[\n?.*'first'.*\]\ntrue",
    rf"{re.escape(TEXT)}\n{re.escape(TEXT)}",
]


@pytest.fixture(scope="module")
def compiled(workspace: Workspace) -> list[str]:
    """The examples as programs, by number."""
    names = [workspace.write(f"example{n}.ts", block.code) for n, block in enumerate(EXAMPLES)]
    assert workspace.compile(*names, options=LIBRARY) == ""
    (workspace.folder / "compiled" / "package.json").write_text('{"type": "module"}')
    return [f"compiled/example{n}.js" for n in range(len(names))]


def test_each_example_of_the_pages_runs(
    workspace: Workspace, compiled: list[str], oxide: LiveOxide, guarded: LiveOxide, provider: FakeProvider
) -> None:
    provider.misbehave("status", service="failing", status=500)
    key = made_key(guarded)
    for block, script, printed in zip(EXAMPLES, compiled, PRINTED, strict=True):
        # Else the task could have ended before it is followed.
        provider.pace(0.05 if block.heading == "Live events" else 0)
        asked = guarded if block.heading == "Who calls" else oxide
        environment = {
            "OXIDE_PORT": str(urlsplit(asked.url).port),
            "OXIDE_KEY": key,
            "OXIDE_PASSWORD": guarded.admin_password,
        }
        told = workspace.run("--import", "./redirect.mjs", script, environment=environment).strip()
        assert re.fullmatch(printed, told, re.DOTALL), f"{block.code}\n{told}"


def made_key(guarded: LiveOxide) -> str:
    person = {"username": "admin", "password": guarded.admin_password}
    token = guarded.post("/auth/login", json=person).json()["access_token"]
    wanted = {"name": "docs", "scopes": ["admin", "execute", "read"]}
    answer = guarded.post("/api/api-keys/clients/", json=wanted, headers={"Authorization": f"Bearer {token}"})
    return str(answer.json()["key"])


def test_nothing_on_the_pages_is_left_untried() -> None:
    """Commands install the client for all tests; the web page and its origin stand in `test_browser.py`."""
    languages = [block.language for block in (*blocks_of(PAGE), *blocks_of(CLIENT / "README.md"))]
    assert set(languages) == {"bash", "ts", "yaml", "html"}
    assert languages.count("bash") == 2
    (origin,) = blocks_of(PAGE, "yaml")
    assert yaml.safe_load(origin.code) == {"security": {"cors_origins": ["http://app.example.com"]}}


def test_every_option_and_error_is_described(workspace: Workspace) -> None:
    page = PAGE.read_text()
    source = "\n".join(path.read_text() for path in sorted((CLIENT / "src").rglob("*.ts")))
    errors = re.findall(r"export class (\w+Error)\b", source)
    options = re.findall(r"^  (\w+Ms|maxRetries)\?:", source, re.MULTILINE)
    names = [*errors, *options]
    assert [name for name in names if name not in page] == []
