"""`/api/config/`: what is in force, and reading the file again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys.models import ProviderKey
from config.apply import apply
from config.presentation import masked
from config.reading import read
from routing.models import RoutingRule
from services import directory
from services.models import Service
from snapshots import snapshot
from tests import canary

pytestmark = pytest.mark.django_db(transaction=True)

CONFIG = "/api/config/"
RELOAD = "/api/config/reload/"
CANARY = canary.provider_key("first")
# The operator's own words, which the database keeps as they are; only no answer shows them.
TYPED = "typed-into-a-command-0123456789"
VARIABLE = "CONFIG_VIEW_TEST_KEY"
FILE = f"""
services:
  cloud:
    type: http
    api: openai
    base_url: https://cloud.example/v1
    model: large
    api_key_env: {VARIABLE}
    api_key: {CANARY}
    price: {{input_per_million: 0.15, output_per_million: 3}}
    options: {{max_tokens_field: max_completion_tokens}}
  tool: {{type: cli, command: [llm, --api-key, {TYPED}, "--token={TYPED}", -m, "{{model}}"]}}
routing:
  rules:
    - {{id: rule-1, task_type: chat, service: cloud, model: large, priority: 1}}
  default: [tool, cloud]
security:
  rate_limits: {{anonymous: 50/m}}
"""


@pytest.fixture(autouse=True)
def nothing_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    assert canary.MARK not in caplog.text


@pytest.fixture
def file(write: Callable[[str], Path], settings: Settings) -> Path:
    """The configured file, which has been imported. No variable says anything else."""
    settings.RATE_LIMIT_ANON = settings.RATE_LIMIT_USER = ""
    settings.AUTH_ENABLED = None
    settings.CONFIG_FILE = write(FILE)
    apply(read(settings.CONFIG_FILE))
    return write(FILE)


def answer(response: Any, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert canary.MARK.encode() not in response.content
    assert TYPED.encode() not in response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


# What is in force


def test_the_configuration_in_force_is_shown_in_the_words_of_the_file(client: APIClient, file: Path) -> None:
    body = answer(client.get(CONFIG))
    assert body["services"]["cloud"] == {
        "type": "http",
        "api": "openai",
        "enabled": True,
        "base_url": "https://cloud.example/v1",
        "command": [],
        "model": "large",
        "models": [],
        "capabilities": [],
        "api_key_env": VARIABLE,
        "api_key": "sk-o...xyz",
        "api_key_source": "file",
        "timeout_seconds": 120,
        "max_concurrency": 16,
        "max_retries": 2,
        "health": {"enabled": True, "path": "", "method": "GET", "interval": None},
        "price": {"input_per_million": 0.15, "output_per_million": 3},
        "options": {"max_tokens_field": "max_completion_tokens"},
        "headers": {},
        "proxy": "",
        "ca_file": "",
        "declared": True,
    }
    assert body["routing"] == {
        "rules": [
            {
                "id": "rule-1",
                "task_type": "chat",
                "service": "cloud",
                "model": "large",
                "priority": 1,
                "weight": 1,
                "enabled": True,
                "note": "",
                "declared": True,
            }
        ],
        "default": ["tool", "cloud"],
    }
    assert body["source"] == {"file": str(file), "key_store": "file"}


def test_of_headers_and_proxies_no_secret_is_shown(client: APIClient, file: Path) -> None:
    secret = "written-out"
    Service.objects.filter(name="cloud").update(
        headers={"X-Team": secret, "X-Other": "${OTHER}"}, proxy=f"http://me:{secret}@proxy.example:3128"
    )
    shown = answer(client.get(CONFIG))["services"]["cloud"]
    assert shown["headers"] == {"X-Team": "***", "X-Other": "${OTHER}"}
    assert shown["proxy"] == "http://me:***@proxy.example:3128"
    assert secret not in json.dumps(shown)


def test_the_security_in_force_is_shown(client: APIClient, file: Path) -> None:
    security = answer(client.get(CONFIG))["security"]
    assert security["auth_enabled"] is False
    assert security["rate_limits"] == {"anonymous": "50/m", "authenticated": "1000/m"}
    assert "localhost" in security["allowed_hosts"]
    assert security["cors_origins"] == []


def test_the_database_is_shown_rather_than_the_file(client: APIClient, file: Path) -> None:
    service = Service.objects.get(name="cloud")
    service.model = "small"
    service.save()
    Service.objects.create(name="mine", type="builtin")
    ProviderKey.store("cloud", canary.provider_key("another", start="sk-a-", end="-abc"))
    services = answer(client.get(CONFIG))["services"]
    assert services["cloud"]["model"] == "small"
    assert (services["cloud"]["api_key"], services["cloud"]["api_key_source"]) == ("sk-a...abc", "database")
    assert (services["mine"]["declared"], services["mine"]["api_key"], services["mine"]["price"]) == (False, None, None)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("llm --api-key K -m x", "llm --api-key *** -m x"),
        ("llm --api-key=K -m x", "llm --api-key=*** -m x"),
        ("llm -m {model} --max-tokens 5", "llm -m {model} --max-tokens ***"),
        ("env LLM_API_KEY=K llm --key --key -m x", "env LLM_API_KEY=*** llm --key *** -m x"),
        ("llm token keyboard", "llm token keyboard"),
    ],
)
def test_a_secret_in_a_command_is_masked(command: str, shown: str) -> None:
    assert list(masked(command.split())) == shown.split()


def test_a_masked_option_may_hold_several_lines() -> None:
    assert list(masked(["llm", "--key=a\nb"])) == ["llm", "--key=***"]


# Reading the file again


def reload(client: APIClient) -> dict[str, Any]:
    return answer(client.post(RELOAD))


def test_a_reload_without_a_change_says_so(client: APIClient, file: Path) -> None:
    unchanged: dict[str, Any] = {"added": [], "changed": {}, "removed": []}
    assert reload(client) == {
        "status": "reloaded",
        "message": f"{file}: nothing to change.",
        "changes": {
            "services": unchanged,
            "rules": unchanged,
            "default_changed": False,
            "security": [],
            "keys": [],
        },
    }


def test_a_reload_answers_with_what_has_changed_and_holds_at_once(client: APIClient, file: Path) -> None:
    client.get(CONFIG)  # the process knows the file's keys
    text = FILE.replace("model: large\n", "model: small\n").replace("50/m", "0")
    text = text.replace(CANARY, canary.provider_key("later")).replace(TYPED, f"{TYPED}-again")
    text = text.replace("rule-1", "rule-2").replace("[tool, cloud]", "[cloud]")
    file.write_text(text.replace("\nrouting:", "\n  new: {type: builtin}\nrouting:"))
    changes = reload(client)["changes"]
    assert changes == {
        "services": {"added": ["new"], "changed": {"cloud": ["model"], "tool": ["command"]}, "removed": []},
        "rules": {"added": ["rule-2"], "changed": {}, "removed": ["rule-1"]},
        "default_changed": True,
        "security": ["rate_limits.anonymous"],
        "keys": ["cloud"],
    }
    assert directory.current()["cloud"].model == "small"
    assert answer(client.get(CONFIG))["security"]["rate_limits"]["anonymous"] == "0"


def test_a_reload_needs_no_body_and_takes_no_path_from_one(client: APIClient, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("services:\n  stranger: {type: builtin}\n")
    answer(client.post(RELOAD, {"path": str(other), "config": str(other)}, format="json"))
    assert "stranger" not in directory.current()


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "words"),
    [
        ("type: http\n", "type: htp\n", 4, "services.cloud.type", "'htp'"),
        ("    model: large\n", "    modle: large\n", 7, "services.cloud.modle", "not a known field"),
        ("service: cloud", "service: clod", 15, "routing.rules[0].service", "'clod'"),
        ("50/m", "many", 18, "security.rate_limits.anonymous", "100/m"),
        ("    type: http\n", "    type: http\n   api_key: x\n", 5, "", "not valid YAML"),
        (f"api_key: {CANARY}", f"api_key: [{CANARY}]", 9, "services.cloud.api_key", "must be text"),
    ],
)
def test_an_invalid_file_changes_nothing_and_says_where_it_is_wrong(
    client: APIClient, file: Path, old: str, new: str, line: int, field: str, words: str
) -> None:
    before = answer(client.get(CONFIG))
    assert old in FILE
    file.write_text(FILE.replace(old, new, 1) + "# one more line\n")
    body = answer(client.post(RELOAD), 400)
    assert body["code"] == "CONFIG_INVALID"
    assert f"line {line}" in body["detail"]
    assert "Nothing was changed" in body["detail"]
    (problem,) = body["problems"]
    assert (problem["line"], problem["field"]) == (line, field)
    assert words in problem["message"]
    snapshot.forget_all()
    after = answer(client.get(CONFIG))
    assert (after["routing"], after["security"]) == (before["routing"], before["security"])
    assert {**after["services"]["cloud"], "api_key": 0, "api_key_source": 0} == {
        **before["services"]["cloud"],
        "api_key": 0,
        "api_key_source": 0,
    }


def test_every_problem_is_listed_and_the_first_is_told_in_words(client: APIClient, file: Path) -> None:
    file.write_text(FILE.replace("50/m", "many").replace("priority: 1", "priority: high"))
    body = answer(client.post(RELOAD), 400)
    assert [problem["field"] for problem in body["problems"]] == [
        "routing.rules[0].priority",
        "security.rate_limits.anonymous",
    ]
    assert "1 more: see problems" in body["detail"]


def test_a_file_that_is_gone_is_told(client: APIClient, file: Path) -> None:
    file.unlink()
    body = answer(client.post(RELOAD), 400)
    assert body["code"] == "CONFIG_INVALID"
    assert body["problems"] == [{"line": None, "field": "", "message": body["problems"][0]["message"]}]
    assert RoutingRule.objects.exists()


@pytest.mark.parametrize("slash", ["", "/"])
def test_both_addresses_answer_with_and_without_the_slash(client: APIClient, file: Path, slash: str) -> None:
    answer(client.get(f"/api/config{slash}"))
    answer(client.post(f"/api/config/reload{slash}"))


@pytest.mark.parametrize(
    ("method", "address"), [("post", CONFIG), ("put", CONFIG), ("get", RELOAD), ("delete", RELOAD)]
)
def test_other_methods_are_refused(client: APIClient, file: Path, method: str, address: str) -> None:
    assert answer(getattr(client, method)(address), 405)["code"] == "METHOD_NOT_ALLOWED"
