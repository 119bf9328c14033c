"""Oxide's errors in the words of other APIs."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import complaint
from gateway.paths import Dialect


def problem(code: str, **more: Any) -> dict[str, Any]:
    return {"error": "Title", "detail": "What to do.", "code": code, **more}


@pytest.mark.parametrize(
    ("status", "code", "openai", "anthropic"),
    [
        (400, "VALIDATION_ERROR", ("invalid_request_error", None), "invalid_request_error"),
        (401, "UNAUTHORIZED", ("invalid_request_error", "invalid_api_key"), "authentication_error"),
        (403, "FORBIDDEN", ("insufficient_permissions", "insufficient_permissions"), "permission_error"),
        (404, "MODEL_NOT_FOUND", ("invalid_request_error", "model_not_found"), "not_found_error"),
        (404, "NOT_FOUND", ("invalid_request_error", "not_found"), "not_found_error"),
        (405, "METHOD_NOT_ALLOWED", ("invalid_request_error", None), "invalid_request_error"),
        (415, "UNSUPPORTED_MEDIA_TYPE", ("invalid_request_error", None), "invalid_request_error"),
        (413, "PAYLOAD_TOO_LARGE", ("invalid_request_error", None), "request_too_large"),
        (429, "RATE_LIMIT_EXCEEDED", ("requests", "rate_limit_exceeded"), "rate_limit_error"),
        (500, "INTERNAL_ERROR", ("api_error", None), "api_error"),
        (502, "PROVIDER_ERROR", ("api_error", "provider_error"), "api_error"),
        (502, "INVALID_API_KEY", ("api_error", "provider_key_refused"), "api_error"),
        (503, "SERVICE_BUSY", ("api_error", "service_busy"), "overloaded_error"),
        (503, "SERVICE_UNAVAILABLE", ("api_error", "service_unavailable"), "api_error"),
        (503, "CANCELLED", ("api_error", "cancelled"), "api_error"),
        (504, "TIMEOUT", ("api_error", "timeout"), "timeout_error"),
    ],
)
def test_each_code_has_its_words(status: int, code: str, openai: tuple[str, str | None], anthropic: str) -> None:
    told: Any = complaint("openai", status, problem(code))
    error = told.body["error"]
    assert (told.status, error["message"], error["param"]) == (status, "What to do.", None)
    assert (error["type"], error["code"]) == openai
    told = complaint("anthropic", status, problem(code))
    assert told.status == (529 if code == "SERVICE_BUSY" else status)
    assert (told.body["type"], told.body["error"]["type"]) == ("error", anthropic)
    assert told.body["request_id"] == told.headers["request-id"]


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("RATE_LIMIT_EXCEEDED", "true"),
        ("SERVICE_BUSY", "true"),
        ("SERVICE_UNAVAILABLE", "true"),
        ("PROVIDER_ERROR", "false"),
        ("INVALID_API_KEY", "false"),
        ("TIMEOUT", "false"),
        ("CANCELLED", "false"),
        ("INTERNAL_ERROR", "false"),
    ],
)
def test_only_what_waiting_helps_is_worth_another_try(code: str, again: str) -> None:
    headers = complaint("openai", 503, problem(code), retry_after=1.5).headers
    assert (headers["x-should-retry"], headers["retry-after-ms"]) == (again, "1500")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("context_length", 400, "context_length_exceeded"), ("model_not_found", 404, "model_not_found")],
)
def test_what_clients_look_for_by_name_is_told_by_it(kind: str, status: int, code: str) -> None:
    failed = problem("PROVIDER_ERROR", task_id="t", attempts=[{"error_kind": "server"}, {"error_kind": kind}])
    told: Any = complaint("openai", 502, failed)
    assert (told.status, told.body["error"]["code"]) == (status, code)
    assert told.headers["x-request-id"] == "t"


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_how_long_to_wait_is_told_only_where_it_is_known_and_never_as_nothing(dialect: Dialect) -> None:
    assert "retry-after-ms" not in complaint(dialect, 503, problem("SERVICE_BUSY")).headers
    assert complaint(dialect, 503, problem("SERVICE_BUSY"), retry_after=0.0001).headers["retry-after-ms"] == "1"


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_every_answer_has_an_id_of_its_own(dialect: Dialect) -> None:
    ids = [complaint(dialect, 400, problem("VALIDATION_ERROR")).headers for _ in range(2)]
    assert all(each["x-request-id"] == each["request-id"] for each in ids)
    assert ids[0]["request-id"] != ids[1]["request-id"]
