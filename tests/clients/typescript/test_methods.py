"""Every method of the client against Oxide, and its types against what Oxide sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import canary
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.typescript import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]

SECOND_KEY = canary.provider_key("typescript second")


def complaints(workspace: Workspace, answers: list[tuple[str, Any]]) -> str:
    """What the compiler says where the answers stand as constants of their types: of fields too many or too few."""
    names = ", ".join(sorted({kind for kind, _ in answers}))
    lines = [f"import type {{ {names} }} from 'oxide-client';"]
    lines += [f"export const answer{n}: {kind} = {json.dumps(value)};" for n, (kind, value) in enumerate(answers)]
    return workspace.compile(workspace.write("answers.ts", "\n".join(lines)))


def test_each_method_is_answered_in_its_type(workspace: Workspace, oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("hang", service="hanging")
    seen = workspace.see("methods.mjs", oxide.url, SECOND_KEY)
    answers = seen.pop("answers")
    assert seen == {
        "waited": "completed",
        "cancelled": "cancelled",
        "switched": [False, True],
        "changed": ["German", False],
        "deleted": True,
        "inForce": True,
    }
    assert len(answers) == 36
    assert answers[0][1]["result"] == TEXT
    assert complaints(workspace, answers) == ""


def test_a_field_too_many_or_too_few_would_be_noticed(workspace: Workspace) -> None:
    answers = [("Health", {"status": "ok", "mood": "good"}), ("LoggedOut", {})]
    told = complaints(workspace, answers)
    assert "'\"mood\"' does not exist in type 'Health'" in told
    assert "Property 'status' is missing" in told


def test_a_login_is_kept_alive_and_ended(workspace: Workspace, guarded: LiveOxide) -> None:
    seen = workspace.see("identity.mjs", guarded.url, environment={"OXIDE_PASSWORD": guarded.admin_password})
    answers = seen.pop("answers")
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
