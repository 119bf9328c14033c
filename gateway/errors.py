"""Oxide's errors in the words of other APIs.

Each function takes a status and an error's body as Oxide's own API has it, and gives the status, the
body and the headers that the dialect's clients understand. What SDKs do with them: they raise by the
status, and try again by themselves on 408, 409, 429 and 5xx unless `x-should-retry` forbids it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from gateway import context_length
from gateway.paths import Dialect


class OpenAIErrorDetail(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(TypedDict):
    """An error as OpenAI's clients understand it."""

    error: OpenAIErrorDetail


class AnthropicErrorDetail(TypedDict):
    type: str
    message: str


class AnthropicError(TypedDict):
    """An error as Anthropic's clients understand it."""

    type: Literal["error"]
    error: AnthropicErrorDetail
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Complaint:
    status: int
    body: OpenAIError | AnthropicError
    headers: dict[str, str] = field(default_factory=dict)


def complaint(dialect: Dialect, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> Complaint:
    """`retry_after` is in seconds, where waiting helps."""
    # That of a task that failed is the task's.
    request_id = str(problem.get("task_id") or new_request_id())
    headers = {"x-request-id": request_id, "request-id": request_id, **_pause(problem, retry_after), **_advice(problem)}
    if dialect == "anthropic":
        overloaded = problem["code"] in _OVERLOADED
        return Complaint(529 if overloaded else status, anthropic(status, problem, request_id), headers)
    return Complaint(status, openai(status, problem), headers)


def new_request_id() -> str:
    """For an answer in which no task had a part."""
    return f"req_{secrets.token_hex(12)}"


def openai(status: int, problem: Mapping[str, Any]) -> OpenAIError:
    """https://platform.openai.com/docs/guides/error-codes"""
    code, vendor = str(problem["code"]), problem.get("provider_error") or {}
    kind, name = _OPENAI.get(code, ("api_error" if status >= 500 else "invalid_request_error", None))
    if vendor.get("kind") == "context_length":
        return _openai_error(context_length.for_openai(vendor), kind, "context_length_exceeded", vendor)
    if vendor.get("kind") == "quota" and status == 429:
        return _openai_error(_words(problem), "insufficient_quota", "insufficient_quota", vendor)
    if code not in _OWN_CODES:
        kind, name = vendor.get("type") or kind, vendor.get("code") or name
    return _openai_error(_words(problem), kind, name, vendor)


def anthropic(status: int, problem: Mapping[str, Any], request_id: str | None = None) -> AnthropicError:
    """https://platform.claude.com/docs/en/api/errors"""
    vendor = problem.get("provider_error") or {}
    kind = _ANTHROPIC.get(str(problem["code"]), "api_error" if status >= 500 else "invalid_request_error")
    is_too_long = vendor.get("kind") == "context_length"
    message = context_length.for_anthropic(vendor) if is_too_long else _words(problem)
    error = AnthropicErrorDetail(type=kind, message=message)
    return {"type": "error", "error": error, "request_id": request_id or problem.get("task_id")}


def _openai_error(message: str, kind: str, name: str | None, vendor: Mapping[str, Any]) -> OpenAIError:
    return {"error": {"message": message, "type": kind, "param": vendor.get("param") or None, "code": name}}


def _words(problem: Mapping[str, Any]) -> str:
    """The provider's own, unchanged, where it is the provider that failed."""
    vendor = problem.get("provider_error") or {}
    return str(vendor.get("message") or problem["detail"])


def _advice(problem: Mapping[str, Any]) -> dict[str, str]:
    """What Oxide adds to a provider's own words, on one line of ASCII. A rewritten message comes along unchanged."""
    vendor = problem.get("provider_error") or {}
    if not (vendor.get("advice") and vendor.get("message")):
        return {}
    said = f"{vendor['service']} said: {vendor['message']} " if vendor["kind"] == "context_length" else ""
    line = " ".join(f"{said}{vendor['advice']}".split()).encode("ascii", "replace").decode()
    return {"x-oxide-advice": line[-_MOST_ADVICE:]}


def _pause(problem: Mapping[str, Any], retry_after: float | None) -> dict[str, str]:
    """Whether and when SDKs try again by themselves; without a word on it they decide by the status."""
    headers = {}
    if retry_after is not None:
        headers["retry-after-ms"] = str(max(1, round(retry_after * 1000)))
    vendor = problem.get("provider_error")
    if problem["code"] in _FINAL or (vendor and not vendor["retryable"]):
        headers["x-should-retry"] = "false"
    elif problem["code"] in _TRANSIENT:
        headers["x-should-retry"] = "true"
    return headers


_MOST_ADVICE = 1_000
_OVERLOADED = frozenset({"SERVICE_BUSY", "PROVIDER_OVERLOADED"})
_FINAL = frozenset(
    {
        "VALIDATION_ERROR",
        "UNAUTHORIZED",
        "FORBIDDEN",
        "NOT_FOUND",
        "MODEL_NOT_FOUND",
        "METHOD_NOT_ALLOWED",
        "NOT_ACCEPTABLE",
        "PAYLOAD_TOO_LARGE",
        "UNSUPPORTED_MEDIA_TYPE",
        "INVALID_API_KEY",
        "CANCELLED",
    }
)
_TRANSIENT = frozenset(
    {
        "RATE_LIMIT_EXCEEDED",
        "SERVICE_BUSY",
        "SERVICE_UNAVAILABLE",
        "PROVIDER_ERROR",
        "PROVIDER_RATE_LIMITED",
        "PROVIDER_OVERLOADED",
    }
)
# In these cases a provider's own type and code would tell clients something about themselves that is not so.
_OWN_CODES = frozenset({"INVALID_API_KEY", "MODEL_NOT_FOUND"})

_OPENAI = {
    "UNAUTHORIZED": ("invalid_request_error", "invalid_api_key"),
    "FORBIDDEN": ("insufficient_permissions", "insufficient_permissions"),
    "NOT_FOUND": ("invalid_request_error", "not_found"),
    "MODEL_NOT_FOUND": ("invalid_request_error", "model_not_found"),
    "RATE_LIMIT_EXCEEDED": ("requests", "rate_limit_exceeded"),
    "PROVIDER_ERROR": ("api_error", "provider_error"),
    "PROVIDER_RATE_LIMITED": ("requests", "rate_limit_exceeded"),
    "PROVIDER_OVERLOADED": ("api_error", "overloaded"),
    "INVALID_API_KEY": ("api_error", "provider_key_refused"),
    "SERVICE_UNAVAILABLE": ("api_error", "service_unavailable"),
    "SERVICE_BUSY": ("api_error", "service_busy"),
    "TIMEOUT": ("api_error", "timeout"),
    "CANCELLED": ("api_error", "cancelled"),
}
_ANTHROPIC = {
    "UNAUTHORIZED": "authentication_error",
    "FORBIDDEN": "permission_error",
    "NOT_FOUND": "not_found_error",
    "MODEL_NOT_FOUND": "not_found_error",
    "PAYLOAD_TOO_LARGE": "request_too_large",
    "RATE_LIMIT_EXCEEDED": "rate_limit_error",
    "PROVIDER_RATE_LIMITED": "rate_limit_error",
    "PROVIDER_OVERLOADED": "overloaded_error",
    "SERVICE_BUSY": "overloaded_error",
    "TIMEOUT": "timeout_error",
}
