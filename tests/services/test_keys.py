"""`/api/api-keys/`: which keys are there, whether they are good, and new ones."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_django import Settings
from rest_framework.test import APIClient

from apikeys import vault
from apikeys.models import ProviderKey
from services import connections, health, keys
from services.models import Service
from snapshots import snapshot
from snapshots.models import Revision
from tests import canary
from tests.fake_provider import FakeProvider
from tests.waiting import wait_until

Make = Callable[..., Service]

VARIABLE = "KEYS_TEST_KEY"
CANARY = canary.provider_key("first")
OTHER = canary.provider_key("other", end="-abc")
STATUS = "/api/api-keys/status/"
TEST = "/api/api-keys/test/"
UPDATE = "/api/api-keys/update/"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, settings: Settings) -> Path:
    settings.CONFIG_FILE = tmp_path / "oxide.yaml"
    settings.CONFIG_FILE.write_text(
        "# Ours.\nservices:\n  first:\n    type: http  # by hand\n    api_key_env: KEYS_TEST_KEY\n"
    )
    return tmp_path / "oxide.yaml"


@pytest.fixture(autouse=True)
def nothing_leaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test does, no key may stand in the log."""
    with caplog.at_level(logging.DEBUG):
        yield
    assert canary.MARK not in caplog.text


@pytest.fixture
def first(service: Make) -> Service:
    return service("first", api_key_env=VARIABLE)


def answer(response: Any, status: int = 200) -> dict[str, Any]:
    """The body of an answer, which never holds a key."""
    assert response.status_code == status, response.content
    assert canary.MARK.encode() not in response.content
    assert canary.MARK not in str(response.headers)
    body: dict[str, Any] = json.loads(response.content)
    return body


def status_of(client: APIClient, name: str = "first") -> dict[str, Any]:
    return answer(client.get(f"{STATUS}{name}/"))


def refusal(response: Any, status: int = 400, code: str = "VALIDATION_ERROR") -> str:
    body = answer(response, status)
    assert body["code"] == code
    assert body["error"]
    return str(body["detail"])


# Status


def test_the_status_before_there_is_a_key(client: APIClient, first: Service) -> None:
    assert status_of(client) == {
        "service": "first",
        "configured": False,
        "valid": False,
        "key_preview": None,
        "state": "missing",
        "source": None,
        "variable": VARIABLE,
        "checked_at": None,
        "detail": "There is no key. Set KEYS_TEST_KEY, or send one to /api/api-keys/update/.",
    }


def test_the_status_of_a_key_that_nobody_has_tried_yet(
    client: APIClient, first: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    status = status_of(client)
    assert (status["configured"], status["valid"], status["key_preview"]) == (True, False, "sk-o...xyz")
    assert (status["state"], status["source"], status["checked_at"]) == ("unknown", "environment", None)


def test_a_check_shows_that_the_key_is_good(client: APIClient, first: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    health.check(first.config)
    status = status_of(client)
    assert (status["valid"], status["state"]) == (True, "valid")
    assert status["checked_at"]


@pytest.mark.parametrize("api", ["openai", "ollama", "anthropic", "gemini"])
def test_a_check_shows_that_the_key_is_refused(
    client: APIClient, service: Make, provider: FakeProvider, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    provider.misbehave("refuse", why="auth")
    health.check(service("first", api, api_key_env=VARIABLE).config)
    status = status_of(client)
    assert (status["configured"], status["valid"], status["state"]) == (True, False, "invalid")


def test_a_provider_that_is_away_says_nothing_about_the_key(
    client: APIClient, first: Service, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    provider.misbehave("status", status=500)
    health.check(first.config)
    assert status_of(client)["state"] == "unknown"


def test_a_call_that_went_well_shows_that_the_key_is_good(
    client: APIClient, first: Service, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    provider.misbehave("refuse", why="auth", times=1)
    health.check(first.config)
    health.note_success("first")
    assert status_of(client)["state"] == "valid"


def test_what_is_known_of_a_key_is_not_said_of_the_next_one(client: APIClient, first: Service) -> None:
    client.post(UPDATE, {"service": "first", "api_key": CANARY}, format="json")
    client.post(TEST, {"service": "first"}, format="json")
    assert status_of(client)["state"] == "valid"
    client.post(UPDATE, {"service": "first", "api_key": OTHER}, format="json")
    status = status_of(client)
    assert (status["state"], status["key_preview"]) == ("unknown", "sk-o...abc")


def test_a_stored_key_that_cannot_be_decrypted_is_told(client: APIClient, first: Service, settings: Settings) -> None:
    ProviderKey.store("first", CANARY)
    settings.SECRET_KEY = "another-secret-key-of-some-length-0123456789"
    snapshot.forget_all()
    status = status_of(client)
    assert not status["configured"]
    assert "encrypted with another OXIDE_SECRET_KEY" in status["detail"]


def test_all_services_that_take_a_key_are_listed(client: APIClient, service: Make, file: Path) -> None:
    for name in ("first", "second"):
        service(name, api_key_env=VARIABLE)
    service("from-file")
    service("stored")
    service("local")
    Service.objects.create(name="echo", type="builtin")
    file.write_text(f"services:\n  from-file: {{type: http, api_key: {CANARY}}}\n")
    ProviderKey.store("stored", OTHER)
    body = answer(client.get(STATUS))
    assert (body["total"], body["configured"]) == (4, 2)
    sources = {name: status["source"] for name, status in body["services"].items()}
    assert sources == {"first": None, "second": None, "from-file": "file", "stored": "database"}
    assert body["services"]["from-file"] == status_of(client, "from-file")


@pytest.mark.parametrize("method", ["status", "test", "update"])
def test_an_unknown_service_is_not_found(client: APIClient, first: Service, method: str) -> None:
    body = {"service": "nobody", "api_key": CANARY}
    asked = (
        client.get(f"{STATUS}nobody/")
        if method == "status"
        else client.post(f"/api/api-keys/{method}/", body, format="json")
    )
    assert "'nobody'" in refusal(asked, 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["status", "test", "update"])
@pytest.mark.parametrize(("name", "why"), [("local", "api_key_env"), ("echo", "built in")])
def test_a_service_that_takes_no_key_is_refused(
    client: APIClient, service: Make, method: str, name: str, why: str, file: Path
) -> None:
    service("local")
    Service.objects.create(name="echo", type="builtin")
    before = file.read_bytes()
    body = {"service": name, "api_key": CANARY}
    asked = (
        client.get(f"{STATUS}{name}/")
        if method == "status"
        else client.post(f"/api/api-keys/{method}/", body, format="json")
    )
    detail = refusal(asked)
    assert f"{name} takes no API key" in detail
    assert why in detail
    assert file.read_bytes() == before


# Testing


def try_key(client: APIClient, **body: Any) -> Any:
    return client.post(TEST, {"service": "first", **body}, format="json")


def keys_seen(provider: FakeProvider) -> set[str]:
    headers = ("authorization", "x-api-key", "x-goog-api-key")
    return {
        request.headers[name].removeprefix("Bearer ")
        for request in provider.requests
        for name in headers
        if name in request.headers
    }


@pytest.mark.parametrize("api", ["openai", "ollama", "anthropic", "gemini"])
def test_a_good_key_is_valid_and_the_models_are_counted(
    client: APIClient, service: Make, provider: FakeProvider, api: str
) -> None:
    service("first", api, api_key_env=VARIABLE)
    assert answer(try_key(client, api_key=CANARY)) == {
        "success": True,
        "valid": True,
        "message": "API key is valid. 2 models available.",
        "details": {"model_count": 2, "service": "first"},
    }
    assert keys_seen(provider) == {CANARY}
    assert {request.method for request in provider.requests} == {"GET"}, "only free addresses are asked"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 model available."),
        (99, "99 models available."),
        (200, "200+ models available."),
        (347, "300+ models available."),
    ],
)
def test_long_lists_of_models_are_counted_in_hundreds(
    client: APIClient, first: Service, provider: FakeProvider, count: int, words: str
) -> None:
    provider.model_names = [f"model-{number}" for number in range(count)]
    body = answer(try_key(client, api_key=CANARY))
    assert body["message"] == f"API key is valid. {words}"
    assert body["details"]["model_count"] == count


@pytest.mark.parametrize("api", ["openai", "ollama", "anthropic", "gemini"])
def test_a_refused_key_is_a_test_that_succeeded(
    client: APIClient, service: Make, provider: FakeProvider, api: str
) -> None:
    service("first", api, api_key_env=VARIABLE)
    provider.misbehave("refuse", why="auth")
    assert answer(try_key(client, api_key=CANARY)) == {
        "success": True,
        "valid": False,
        "message": "first does not take this API key. Check it and enter it again.",
        "details": {"model_count": 0, "service": "first"},
    }


@pytest.mark.parametrize(
    ("fault", "details"), [("status", {"status": 500}), ("status", {"status": 429}), ("reset", {}), ("html", {})]
)
def test_where_the_provider_cannot_say_the_test_did_not_succeed(
    client: APIClient, first: Service, provider: FakeProvider, fault: str, details: dict[str, Any]
) -> None:
    provider.misbehave(fault, **details)
    body = answer(try_key(client, api_key=CANARY))
    assert (body["success"], body["valid"]) == (False, False)
    assert body["message"].startswith("The API key could not be tested: first ")


def test_a_provider_that_is_away_is_told_in_words(client: APIClient, service: Make) -> None:
    service("first", base_url="http://127.0.0.1:9/v1", api_key_env=VARIABLE)
    body = answer(try_key(client, api_key=CANARY))
    assert (body["success"], body["valid"]) == (False, False)
    assert "cannot be reached" in body["message"]


def test_a_key_given_for_a_test_is_used_once_and_kept_nowhere(
    client: APIClient, first: Service, provider: FakeProvider, file: Path
) -> None:
    before = file.read_bytes()
    answer(try_key(client, api_key=CANARY))
    assert not status_of(client)["configured"]
    assert file.read_bytes() == before
    assert not ProviderKey.objects.exists()
    assert health.of("first") is None
    assert canary.MARK not in repr(vars(connections))
    wait_until(lambda: provider.open_connections == 0)


def test_without_a_key_the_one_in_force_is_tested_and_the_outcome_is_remembered(
    client: APIClient, first: Service, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    assert answer(try_key(client))["valid"]
    assert answer(try_key(client, api_key=None))["valid"]
    assert keys_seen(provider) == {CANARY}
    assert status_of(client)["state"] == "valid"


def test_a_refusal_of_another_key_says_nothing_about_the_one_in_force(
    client: APIClient, first: Service, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    answer(try_key(client))
    provider.misbehave("refuse", why="auth", times=1)
    assert not answer(try_key(client, api_key=OTHER))["valid"]
    assert status_of(client)["state"] == "valid"


def test_without_any_key_there_is_nothing_to_test(client: APIClient, first: Service, provider: FakeProvider) -> None:
    assert refusal(try_key(client)) == (
        "first has no API key yet: send one as api_key, or set KEYS_TEST_KEY and restart."
    )
    assert provider.requests == []


def test_the_key_of_a_program_is_not_tested_at_a_price(client: APIClient, transactional_db: None) -> None:
    Service.objects.create(name="first", type="cli", command=["true"], api_key_env=VARIABLE)
    body = answer(try_key(client, api_key=CANARY))
    assert (body["success"], body["valid"]) == (False, False)
    assert "run a task" in body["message"]


@pytest.mark.parametrize("address", [TEST, UPDATE])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"service": "first", "api_key": CANARY, "base_url": "http://127.0.0.1:1"}, "base_url"),
        ({"service": "first", "api_key": CANARY, "api_base": "http://127.0.0.1:1"}, "api_base"),
        ({"api_key": CANARY}, "service"),
        ({"service": 5, "api_key": CANARY}, "service"),
        ({"service": None, "api_key": CANARY}, "service"),
        ({"service": "first", "api_key": [CANARY]}, "api_key"),
        ({"service": "first", "api_key": ""}, "empty"),
        ({"service": "first", "api_key": f"{CANARY}\n"}, "line break"),
        ({"service": "first", "api_key": f" {CANARY}"}, "blank"),
        ({"service": "first", "api_key": f"{CANARY}\r\nX-Other: 1"}, "line break"),
        ({"service": "first", "api_key": f"{CANARY}\x7f"}, "character"),
        ({"service": "first", "api_key": f"{CANARY}\x1b[0m"}, "character"),
        ({"service": "first", "api_key": f"{CANARY}ß"}, "character"),
        ({"service": "first", "api_key": CANARY * 200}, "longer than"),
        ([CANARY], "JSON object"),
        (CANARY, "JSON object"),
    ],
)
def test_a_body_that_is_not_as_it_should_be_is_refused_without_any_call(
    client: APIClient, first: Service, provider: FakeProvider, file: Path, address: str, body: Any, why: str
) -> None:
    before = file.read_bytes()
    assert why in refusal(client.post(address, body, format="json"))
    assert provider.requests == []
    assert file.read_bytes() == before


@pytest.mark.parametrize("body", [{"service": "first"}, {"service": "first", "api_key": None}])
def test_an_update_needs_a_key(client: APIClient, first: Service, body: Any) -> None:
    assert "api_key" in refusal(client.post(UPDATE, body, format="json"))


# Updating


def update(client: APIClient, secret: str = CANARY, service: str = "first") -> Any:
    return client.post(UPDATE, {"service": service, "api_key": secret}, format="json")


def test_an_update_goes_into_the_file_and_warns_of_it(client: APIClient, first: Service, file: Path) -> None:
    before = file.read_text()
    assert answer(update(client)) == {
        "success": True,
        "service": "first",
        "message": "API key of first saved. It is used from the next call on.",
        "warning": f"The key is saved in plain text in {file}. "
        "For production, use the environment variable KEYS_TEST_KEY or OXIDE_KEY_STORE=database.",
        "stored_in": "file",
        "in_force": True,
        "shadowed_by": None,
        "key_preview": "sk-o...xyz",
    }
    assert file.read_text() == f'{before}    api_key: "{CANARY}"\n'
    assert not ProviderKey.objects.exists()


def test_the_next_call_uses_the_new_key(client: APIClient, first: Service, provider: FakeProvider) -> None:
    for secret in (CANARY, OTHER):
        answer(update(client, secret))
        answer(client.post("/api/tasks/execute/", {"prompt": "Hello", "service": "first"}, format="json"))
        assert provider.requests[-1].headers["authorization"] == f"Bearer {secret}"


def test_a_service_that_was_ill_for_its_key_is_asked_again_at_once(
    client: APIClient, first: Service, provider: FakeProvider
) -> None:
    answer(update(client, OTHER))
    provider.misbehave("refuse", why="auth", times=1)
    assert not health.check(first.config).healthy
    answer(update(client, CANARY))
    assert health.of("first") is None


def test_a_variable_that_wins_over_the_new_key_is_named(
    client: APIClient, first: Service, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, OTHER)
    body = answer(update(client))
    assert (body["in_force"], body["shadowed_by"], body["key_preview"]) == (False, VARIABLE, "sk-o...xyz")
    assert body["message"] == (
        "API key of first saved, but KEYS_TEST_KEY is set and wins: change it there, or unset it."
    )
    assert yaml.safe_load(file.read_text())["services"]["first"]["api_key"] == CANARY
    assert status_of(client)["key_preview"] == "sk-o...abc"


def test_with_keys_in_the_database_the_file_stays_as_it_is(
    client: APIClient, first: Service, file: Path, settings: Settings
) -> None:
    settings.KEY_STORE = "database"
    before = file.read_bytes()
    body = answer(update(client))
    assert (body["stored_in"], body["in_force"], body["warning"]) == ("database", True, None)
    assert file.read_bytes() == before
    assert status_of(client)["source"] == "database"
    row = ProviderKey.objects.get()
    assert canary.MARK not in row.ciphertext
    assert vault.decrypt(row.ciphertext) == CANARY


def test_a_key_left_in_the_file_is_warned_of(client: APIClient, first: Service, file: Path, settings: Settings) -> None:
    answer(update(client, OTHER))
    settings.KEY_STORE = "database"
    assert answer(update(client))["warning"] == (
        f"An earlier key still stands in plain text in {file}. Remove it there."
    )


def test_a_service_that_the_file_does_not_declare_is_refused_with_the_ways_out(
    client: APIClient, service: Make, file: Path
) -> None:
    service("mine", api_key_env=VARIABLE)
    before = file.read_bytes()
    detail = refusal(update(client, service="mine"))
    for way in ("does not declare the service mine", "set KEYS_TEST_KEY", "OXIDE_KEY_STORE=database"):
        assert way in detail
    assert file.read_bytes() == before


def test_an_invalid_file_is_refused_with_its_line_and_left_alone(client: APIClient, first: Service, file: Path) -> None:
    file.write_text(f"services:\n  first: {{type: http\n  other: {{api_key: {OTHER}}}\n")
    before = file.read_bytes()
    body = answer(update(client), 400)
    assert body["code"] == "CONFIG_INVALID"
    assert "Nothing was written" in body["detail"]
    (problem,) = body["problems"]
    assert problem.keys() == {"line", "field", "message"}
    assert isinstance(problem["line"], int)
    assert file.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_told(client: APIClient, first: Service, file: Path) -> None:
    file.parent.chmod(0o500)
    try:
        detail = refusal(update(client), 503, "SERVICE_UNAVAILABLE")
    finally:
        file.parent.chmod(0o700)
    assert "make it and its folder writable" in detail


def test_a_file_that_cannot_be_replaced_is_told(client: APIClient, first: Service, file: Path) -> None:
    file.with_name(f".{file.name}.new").mkdir()  # in the place of what is written aside
    detail = refusal(update(client), 503, "SERVICE_UNAVAILABLE")
    assert "make it and its folder writable" in detail


def test_an_update_tells_the_other_processes(client: APIClient, first: Service) -> None:
    status_of(client)
    before = Revision.numbers().get("file_keys", 0)
    answer(update(client))
    assert Revision.numbers()["file_keys"] > before


@pytest.mark.parametrize("path", ["status", "status/first", "test", "update"])
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(client: APIClient, first: Service, path: str, method: str) -> None:
    answered = getattr(client, method)(f"/api/api-keys/{path}/", {"api_key": CANARY}, format="json")
    refusal(answered, 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_address_answers_with_and_without_the_slash(client: APIClient, first: Service, slash: str) -> None:
    answer(client.get(f"/api/api-keys/status{slash}"))
    answer(client.get(f"/api/api-keys/status/first{slash}"))
    answer(client.post(f"/api/api-keys/test{slash}", {"service": "first", "api_key": CANARY}, format="json"))
    answer(client.post(f"/api/api-keys/update{slash}", {"service": "first", "api_key": CANARY}, format="json"))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_service_that_does_not_list_its_models_says_nothing_of_the_key(
    service: Make, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    config = service("first", api_key_env=VARIABLE).config
    provider.misbehave_in_checks("status", status=status)
    trial = keys.test(config, None)
    assert (trial.success, trial.valid) == (False, False)
    assert trial.message.startswith("The API key could not be tested: first answered ")
    assert keys.state(config) == "unknown"
    health.note_success("first")
    assert keys.state(config) == "valid"


def test_a_key_is_tested_by_the_list_of_models_where_another_address_is_checked(
    service: Make, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, CANARY)
    config = service("first", api_key_env=VARIABLE, health_path="/health").config
    for secret in (None, OTHER):
        assert keys.test(config, secret).valid
    assert [request.path.rpartition("/")[2] for request in provider.requests] == ["models", "models"]
