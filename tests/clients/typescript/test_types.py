"""The types of the client, as the programs that use it are compiled."""

from __future__ import annotations

import json

import pytest

from tests.typescript import CLIENT, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]

IN_NODE = ("--noEmit", "--lib", "es2022", "--types", "node")
IN_A_PAGE = ("--noEmit", "--lib", "es2022,dom", "--types", "")
BUNDLED = (*IN_A_PAGE, "--module", "esnext", "--moduleResolution", "bundler")


@pytest.mark.parametrize(
    ("options", "file"),
    [(IN_NODE, "with-ws.ts"), (IN_A_PAGE, "in-a-page.ts"), (BUNDLED, "in-a-page.ts")],
    ids=["node", "page", "bundler"],
)
def test_a_program_is_compiled_strictly(workspace: Workspace, options: tuple[str, ...], file: str) -> None:
    assert workspace.compile("consumer.ts", file, options=options) == ""


def test_the_package_has_no_dependencies_and_its_lock_names_no_registry(workspace: Workspace) -> None:
    package = json.loads((workspace.client / "package.json").read_text())
    assert "dependencies" not in package
    assert "peerDependencies" not in package
    assert (package["license"], package["type"]) == ("Apache-2.0", "module")
    assert '"resolved"' not in (CLIENT / "package-lock.json").read_text()
