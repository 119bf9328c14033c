"""The contract's examples for JavaScript and TypeScript, as they stand there."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fake_provider import TEXT
from tests.live import LiveOxide
from tests.typescript import SCRIPTS, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]

EXAMPLE = (SCRIPTS / "contract-client.ts").read_text()
OWN_CLASS, _, USAGE = EXAMPLE.partition("// Usage\n")
PRINT = "\nconsole.log(JSON.stringify(result));\n"
LIBRARY = ("--lib", "es2022,dom", "--types", "node", "--outDir", "compiled")


def result_of(workspace: Workspace, oxide: LiveOxide, name: str, program: str) -> Any:
    assert workspace.compile(workspace.write(f"{name}.ts", program + PRINT), options=LIBRARY) == ""
    (workspace.folder / "compiled" / "package.json").write_text('{"type": "module"}')
    environment = {"OXIDE_PORT": str(urlsplit(oxide.url).port)}
    return workspace.see("--import", "./redirect.mjs", f"compiled/{name}.js", environment=environment)


def test_the_class_of_the_contract_works(workspace: Workspace, oxide: LiveOxide) -> None:
    # As a module, which is what makes `await` stand alone.
    answer = result_of(workspace, oxide, "contract", EXAMPLE + "\nexport {};\n")
    assert (answer["status"], answer["result"], answer["task_type"]) == ("completed", TEXT, "question_answer")


def test_its_usage_is_the_clients_too(workspace: Workspace, oxide: LiveOxide) -> None:
    answer = result_of(workspace, oxide, "usage", "import { OxideClient } from 'oxide-client';\n" + USAGE)
    assert (answer["status"], answer["result"], answer["task_type"]) == ("completed", TEXT, "question_answer")


def test_its_parameters_are_the_clients_too(workspace: Workspace, oxide: LiveOxide) -> None:
    calls = ["client.executeTask('Hello')", "client.executeTask('Hello', 'chat', { service: 'echo' })"]
    call = f"const result = [await {calls[0]}, await {calls[1]}];"
    own, given = (
        result_of(workspace, oxide, name, f"{head}\nconst client = new OxideClient();\n{call}\nexport {{}};\n")
        for name, head in (("own", OWN_CLASS), ("given", "import { OxideClient } from 'oxide-client';"))
    )
    told = ("result", "task_type", "service_used", "model_used")
    assert [[answer[name] for name in told] for answer in own] == [[answer[name] for name in told] for answer in given]
    assert json.dumps(own).count('"general"') == 1
