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
        (429, "PROVIDER_RATE_LIMITED", ("requests", "rate_limit_exceeded"), "rate_limit_error"),
        (529, "PROVIDER_OVERLOADED", ("api_error", "overloaded"), "overloaded_error"),
        (502, "PROVIDER_ERROR", ("api_error", "provider_error"), "api_error"),
        (503, "PROVIDER_ERROR", ("api_error", "provider_error"), "api_error"),
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
    assert told.status == (529 if code in ("SERVICE_BUSY", "PROVIDER_OVERLOADED") else status)
    assert (told.body["type"], told.body["error"]["type"]) == ("error", anthropic)
    assert told.body["request_id"] == told.headers["request-id"]


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("RATE_LIMIT_EXCEEDED", "true"),
        ("SERVICE_BUSY", "true"),
        ("SERVICE_UNAVAILABLE", "true"),
        ("PROVIDER_ERROR", "true"),
        ("PROVIDER_RATE_LIMITED", "true"),
        ("PROVIDER_OVERLOADED", "true"),
        ("INVALID_API_KEY", "false"),
        ("MODEL_NOT_FOUND", "false"),
        ("VALIDATION_ERROR", "false"),
        ("CANCELLED", "false"),
        ("TIMEOUT", None),
        ("INTERNAL_ERROR", None),
    ],
)
def test_sdks_are_told_not_to_retry_only_what_cannot_succeed(code: str, again: str | None) -> None:
    headers = complaint("openai", 503, problem(code), retry_after=1.5).headers
    assert (headers.get("x-should-retry"), headers["retry-after-ms"]) == (again, "1500")


def test_a_quota_that_is_used_up_keeps_its_429_and_is_not_retried() -> None:
    failed = problem("PROVIDER_RATE_LIMITED", provider_error=vendor("quota", retryable=False, message="No credit."))
    told: Any = complaint("openai", 429, failed)
    assert (told.status, told.body["error"]["code"]) == (429, "insufficient_quota")
    assert told.headers["x-should-retry"] == "false"


def vendor(kind: str, **more: Any) -> dict[str, Any]:
    texts = {"service": "first", "message": "", "type": "", "code": "", "param": "", "advice": "Do this."}
    numbers = {"status": 400, "prompt_tokens": None, "maximum_tokens": None}
    return {**texts, **numbers, "kind": kind, "retryable": True, **more}


def test_the_vendors_own_words_are_the_message_and_the_advice_is_a_header() -> None:
    words = {"message": "Résumé:\n no.", "type": "invalid_request_error", "code": "odd", "param": "tools[0]"}
    failed = problem("VALIDATION_ERROR", task_id="t", provider_error=vendor("bad_request", **words))
    told: Any = complaint("openai", 400, failed)
    assert told.body["error"] == words
    assert told.headers["x-oxide-advice"] == "Do this."
    assert told.headers["x-request-id"] == "t"
    told = complaint("anthropic", 400, failed)
    assert told.body["error"] == {"type": "invalid_request_error", "message": words["message"]}


def test_a_rejected_key_is_not_told_as_if_it_were_the_clients() -> None:
    failed = problem("INVALID_API_KEY", provider_error=vendor("auth", message="Bad key.", code="invalid_api_key"))
    told: Any = complaint("openai", 502, failed)
    assert (told.body["error"]["code"], told.body["error"]["message"]) == ("provider_key_refused", "Bad key.")


@pytest.mark.parametrize(
    ("message", "prompt", "maximum", "anthropic", "openai"),
    [
        (
            "prompt is too long: 214850 tokens > 200000 maximum",
            214850,
            200000,
            "prompt is too long: 214850 tokens > 200000 maximum",
            (
                "This model's maximum context length is 200000 tokens. However, your messages resulted in "
                "214850 tokens. Please reduce the length of the messages."
            ),
        ),
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 8545 tokens.",
            8545,
            8192,
            "prompt is too long: 8545 tokens > 8192 maximum",
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 8545 tokens.",
        ),
        (
            "Input is too long for requested model.",
            None,
            None,
            "prompt is too long: Input is too long for requested model.",
            "The prompt exceeds the model's maximum context length. Input is too long for requested model.",
        ),
        (
            "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
            None,
            None,
            "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
            (
                "The prompt exceeds the model's maximum context length. "
                "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000"
            ),
        ),
    ],
)
def test_a_prompt_that_is_too_long_is_told_in_words_that_clients_recognise(
    message: str, prompt: int | None, maximum: int | None, anthropic: str, openai: str
) -> None:
    numbers = {"prompt_tokens": prompt, "maximum_tokens": maximum}
    failed = problem("VALIDATION_ERROR", provider_error=vendor("context_length", message=message, **numbers))
    told: Any = complaint("anthropic", 400, failed)
    assert told.body["error"] == {"type": "invalid_request_error", "message": anthropic}
    told = complaint("openai", 400, failed)
    assert (told.body["error"]["message"], told.body["error"]["code"]) == (openai, "context_length_exceeded")
    assert told.headers["x-oxide-advice"] == f"first said: {message} Do this."


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_how_long_to_wait_is_told_only_where_it_is_known_and_never_as_nothing(dialect: Dialect) -> None:
    assert "retry-after-ms" not in complaint(dialect, 503, problem("SERVICE_BUSY")).headers
    assert complaint(dialect, 503, problem("SERVICE_BUSY"), retry_after=0.0001).headers["retry-after-ms"] == "1"


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_every_answer_has_an_id_of_its_own(dialect: Dialect) -> None:
    ids = [complaint(dialect, 400, problem("VALIDATION_ERROR")).headers for _ in range(2)]
    assert all(each["x-request-id"] == each["request-id"] for each in ids)
    assert ids[0]["request-id"] != ids[1]["request-id"]
