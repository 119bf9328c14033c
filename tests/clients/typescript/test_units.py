"""The parts of the client that need no Oxide, in Node's own test runner."""

from __future__ import annotations

import pytest

from tests.typescript import SCRIPTS, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]


def test_parser_retries_answers_and_session(workspace: Workspace) -> None:
    suites = sorted(path.name for path in SCRIPTS.glob("*.test.mjs"))
    assert len(suites) == 7
    told = workspace.run("--test", "--test-reporter=tap", *suites)
    assert "\n# fail 0\n" in told
