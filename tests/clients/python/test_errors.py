"""Every error of Oxide as a class, and what stands in it."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

import oxide_client
from oxide_client import (
    ConfigInvalidError,
    InvalidApiKeyError,
    OxideError,
    ProviderError,
    RateLimitError,
    Retries,
    ServiceUnavailableError,
    TaskTimeoutError,
    UnexpectedAnswerError,
    ValidationError,
    error_of,
)
from tests.clients.python.driving import Make
from tests.clients.python.scripted import Scripted, error, json_answer, raw
from tests.fake_provider import FakeProvider

CODES = [
    (400, "VALIDATION_ERROR", "ValidationError"),
    (400, "CONFIG_INVALID", "ConfigInvalidError"),
    (401, "UNAUTHORIZED", "UnauthorizedError"),
    (403, "FORBIDDEN", "ForbiddenError"),
    (404, "NOT_FOUND", "NotFoundError"),
    (404, "MODEL_NOT_FOUND", "NotFoundError"),
    (405, "METHOD_NOT_ALLOWED", "MethodNotAllowedError"),
    (413, "PAYLOAD_TOO_LARGE", "PayloadTooLargeError"),
    (415, "UNSUPPORTED_MEDIA_TYPE", "UnsupportedMediaTypeError"),
    (429, "RATE_LIMIT_EXCEEDED", "RateLimitError"),
    (500, "INTERNAL_ERROR", "InternalError"),
    (502, "PROVIDER_ERROR", "ProviderError"),
    (429, "PROVIDER_RATE_LIMITED", "ProviderRateLimitError"),
    (529, "PROVIDER_OVERLOADED", "ProviderOverloadedError"),
    (502, "INVALID_API_KEY", "InvalidApiKeyError"),
    (503, "SERVICE_UNAVAILABLE", "ServiceUnavailableError"),
    (503, "SERVICE_BUSY", "ServiceBusyError"),
    (503, "CANCELLED", "TaskCancelledError"),
    (504, "TIMEOUT", "TaskTimeoutError"),
    (418, "A_LATER_ONE", "OxideError"),
]
NEVER = Retries(most=0)


def caught(make: Make, answer: Any) -> OxideError:
    with Scripted(answer) as server, pytest.raises(OxideError) as raised:
        make(server.url, retries=NEVER).execute_task("Hello")
    return raised.value


@pytest.mark.parametrize(("status", "code", "name"), CODES)
def test_each_code_is_a_class(make: Make, status: int, code: str, name: str) -> None:
    found = caught(make, error(status, code, "A title", 7, task_id="t-1", attempts=[{"number": 1}]))
    assert type(found) is getattr(oxide_client, name)
    assert (found.status, found.code, found.title, found.retry_after) == (status, code, "A title", 7)
    assert (found.task_id, [attempt["number"] for attempt in found.attempts]) == ("t-1", [1])
    assert str(found) == "A title: Told by a test."
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own
    assert (str(again), again.code, again.task_id) == (str(found), code, "t-1")


def test_a_provider_that_fails_is_told_with_the_attempts(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("status", status=500)
    with pytest.raises(ProviderError) as raised:
        oxide.execute_task("Hello")
    assert [(each["service"], each["http_status"]) for each in raised.value.attempts] == [
        ("first", 500),
        ("second", 500),
    ]
    assert oxide.get_task(raised.value.task_id)["error_code"] == "PROVIDER_ERROR"


def test_a_refused_key_is_told_apart(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("refuse", service="keyed", why="auth")
    with pytest.raises(InvalidApiKeyError, match="keyed"):
        oxide.execute_task("Hello", service="keyed")


def test_oxides_own_time_is_another_error_than_the_clients(oxide: Any, provider: FakeProvider) -> None:
    provider.misbehave("hang", service="first")
    with pytest.raises(TaskTimeoutError) as raised:
        oxide.execute_task("Hello", service="first", timeout_seconds=0.3)
    assert (raised.value.status, raised.value.attempts[0]["error_kind"]) == (504, "timeout")


def test_a_prompt_of_nothing_is_refused_in_oxides_words(oxide: Any) -> None:
    for prompt in (" ", None):
        with pytest.raises(ValidationError, match="prompt"):
            oxide.execute_task(prompt)


def test_a_configuration_that_cannot_be_used_says_where(make: Make) -> None:
    problems = [{"line": 3, "field": "services.x", "message": "is wrong"}]
    found = caught(make, error(400, "CONFIG_INVALID", "Invalid configuration", problems=problems))
    assert isinstance(found, ConfigInvalidError)
    assert found.problems == problems


def test_what_is_not_oxide_is_told_with_what_to_check(make: Make) -> None:
    for status, kind in ((429, RateLimitError), (503, ServiceUnavailableError), (502, UnexpectedAnswerError)):
        found = caught(make, raw(status, b"<h1>nginx</h1>", Retry_After="3"))
        assert (type(found), found.retry_after, found.code) == (kind, 3 if status != 502 else found.retry_after, "")
        assert "base_url" in str(found)
    for content in (b"<h1>Welcome</h1>", b""):
        assert "base_url" in str(caught(make, raw(200, content)))
    assert "https://elsewhere/" in str(caught(make, raw(301, b"", Location="https://elsewhere/")))


def test_retry_after_is_a_date_or_nonsense(make: Make) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < (caught(make, raw(503, b"", Retry_After=date)).retry_after or 0) <= 30
    assert caught(make, raw(503, b"", Retry_After="soon")).retry_after is None


def test_unknown_fields_do_no_harm(make: Make) -> None:
    with Scripted(json_answer(200, {"task_id": "t", "result": "ok", "later": {"more": [1]}})) as server:
        assert make(server.url).execute_task("Hello")["later"] == {"more": [1]}


def test_an_error_event_becomes_an_error() -> None:
    event = {"type": "error", "error": "Timeout", "detail": "Late.", "code": "TIMEOUT", "task_id": "t-1"}
    found = error_of(event)
    assert (type(found), found.task_id, str(found)) == (TaskTimeoutError, "t-1", "Timeout: Late.")
