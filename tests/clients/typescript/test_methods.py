"""Every method of the client against Oxide, and its types against what Oxide sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import canary
from tests.clients.operations import Operations
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.typescript import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]

RECORDED = ("answers", "requests", "uncalled")
SECOND_KEY = canary.provider_key("typescript second")


def complaints(workspace: Workspace, answers: list[tuple[str, Any]]) -> str:
    """What the compiler says where the answers stand as constants of their types: of fields too many or too few."""
    names = ", ".join(sorted({kind for kind, _ in answers}))
    lines = [f"import type {{ {names} }} from 'oxide-client';"]
    lines += [f"export const answer{n}: {kind} = {json.dumps(value)};" for n, (kind, value) in enumerate(answers)]
    return workspace.compile(workspace.write("answers.ts", "\n".join(lines)))


@pytest.fixture(scope="module")
def of_methods(workspace: Workspace, shared_oxide: LiveOxide, provider: FakeProvider) -> Any:
    """What came of every call but those of the login and of keys for programs."""
    provider.misbehave("hang", service="hanging")
    yield workspace.see("methods.mjs", shared_oxide.url, SECOND_KEY)
    provider.reset()
    provider.hangups = 0  # one task was called off


@pytest.fixture(scope="module")
def of_identity(workspace: Workspace, guarded: LiveOxide) -> Any:
    return workspace.see("identity.mjs", guarded.url, environment={"OXIDE_PASSWORD": guarded.admin_password})


def test_the_methods_send_every_operation_of_the_api_and_no_other(
    of_methods: Any, of_identity: Any, shared_oxide: LiveOxide
) -> None:
    operations = Operations.of(shared_oxide)
    sent = [(method, path) for seen in (of_methods, of_identity) for method, path in seen["requests"]]
    assert operations.called_by(sent) == operations.needed


def test_no_method_is_left_out(of_methods: Any, of_identity: Any) -> None:
    # A stream is the same request; test_streaming.py reads it.
    assert set(of_methods["uncalled"]) & set(of_identity["uncalled"]) == {"client.streamTask"}


def test_each_method_is_answered_in_its_type(workspace: Workspace, of_methods: Any) -> None:
    seen = {name: came for name, came in of_methods.items() if name not in RECORDED}
    answers = of_methods["answers"]
    assert seen == {
        "waited": "completed",
        "cancelled": "cancelled",
        "switched": [False, True],
        "changed": ["German", False],
        "deleted": True,
        "inForce": True,
    }
    assert answers[0][1]["result"] == TEXT
    assert complaints(workspace, answers) == ""


def test_a_field_too_many_or_too_few_would_be_noticed(workspace: Workspace) -> None:
    answers = [("Health", {"status": "ok", "mood": "good"}), ("LoggedOut", {})]
    told = complaints(workspace, answers)
    assert "'\"mood\"' does not exist in type 'Health'" in told
    assert "Property 'status' is missing" in told


def test_a_login_is_kept_alive_and_ended(workspace: Workspace, of_identity: Any) -> None:
    seen = {name: came for name, came in of_identity.items() if name not in RECORDED}
    answers = of_identity["answers"]
    assert seen == {
        "refused": "UnauthorizedError",
        "unheard": "UnauthorizedError",
        "wrong": "UnauthorizedError",
        "me": ["admin", "user"],
        "heard": ["connected", "snapshot"],
        "scopes": ["read"],
        "programHeard": ["connected", "snapshot"],
        "forbidden": True,
        "revoked": "UnauthorizedError",
        "renewed": True,
        "done": "Hello",
        "after": "UnauthorizedError",
    }
    assert complaints(workspace, answers) == ""
