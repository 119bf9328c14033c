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
    told, code = _particular(status, problem)
    headers = {"x-request-id": request_id, "request-id": request_id, **_pause(code, retry_after)}
    if dialect == "anthropic":
        return Complaint(529 if code == "SERVICE_BUSY" else told, anthropic(status, problem, request_id), headers)
    return Complaint(told, openai(status, problem), headers)


def new_request_id() -> str:
    """For an answer in which no task had a part."""
    return f"req_{secrets.token_hex(12)}"


def openai(status: int, problem: Mapping[str, Any]) -> OpenAIError:
    """https://platform.openai.com/docs/guides/error-codes"""
    status, code = _particular(status, problem)
    kind, name = _OPENAI.get(code, ("api_error" if status >= 500 else "invalid_request_error", None))
    return {"error": {"message": str(problem["detail"]), "type": kind, "param": None, "code": name}}


def anthropic(status: int, problem: Mapping[str, Any], request_id: str | None = None) -> AnthropicError:
    """https://platform.claude.com/docs/en/api/errors"""
    status, code = _particular(status, problem)
    kind = _ANTHROPIC.get(code, "api_error" if status >= 500 else "invalid_request_error")
    error = AnthropicErrorDetail(type=kind, message=str(problem["detail"]))
    return {"type": "error", "error": error, "request_id": request_id or problem.get("task_id")}


def _particular(status: int, problem: Mapping[str, Any]) -> tuple[int, str]:
    """Two failures of a provider that clients look for by name; Oxide's own codes are coarser."""
    attempts = problem.get("attempts") or [{}]
    kind = attempts[-1].get("error_kind")
    if kind == "context_length":
        return 400, "CONTEXT_LENGTH"
    if kind == "model_not_found":
        return 404, "MODEL_NOT_FOUND"
    return status, str(problem["code"])


def _pause(code: str, retry_after: float | None) -> dict[str, str]:
    # What Oxide has tried on several services, its callers need not try again at once; each would do the same again.
    headers = {"x-should-retry": "true" if code in _WORTH_ANOTHER_TRY else "false"}
    if retry_after is not None:
        headers["retry-after-ms"] = str(max(1, round(retry_after * 1000)))
    return headers


_WORTH_ANOTHER_TRY = frozenset({"RATE_LIMIT_EXCEEDED", "SERVICE_BUSY", "SERVICE_UNAVAILABLE"})

_OPENAI = {
    "UNAUTHORIZED": ("invalid_request_error", "invalid_api_key"),
    "FORBIDDEN": ("insufficient_permissions", "insufficient_permissions"),
    "NOT_FOUND": ("invalid_request_error", "not_found"),
    "MODEL_NOT_FOUND": ("invalid_request_error", "model_not_found"),
    "CONTEXT_LENGTH": ("invalid_request_error", "context_length_exceeded"),
    "RATE_LIMIT_EXCEEDED": ("requests", "rate_limit_exceeded"),
    "PROVIDER_ERROR": ("api_error", "provider_error"),
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
    "SERVICE_BUSY": "overloaded_error",
    "TIMEOUT": "timeout_error",
}
