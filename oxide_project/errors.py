"""Exceptions as the API's error bodies: always `{"error", "detail", "code"}`.

The one table from exception to status and code. Whatever is not in it is a defect of ours: it is
logged, and its text is not shown.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from oxide_project.rendering import JSONRenderer
from routing.engine import UnknownServiceError
from services.adapters.base import ProviderError
from tasks import presentation
from tasks.background import QueueFullError
from tasks.body import BodyError
from tasks.cancel import AlreadyEndedError
from tasks.errors import Code, TaskFailedError, UnsuitableError, failure_of
from tasks.recorder import RecorderError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is answered."""

    status: int
    code: str
    error: str
    detail: str
    retry_after: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.error, "detail": self.detail, "code": self.code, **self.extra}

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}


def handle_exception(error: Exception, context: dict[str, Any]) -> Response:
    """Django REST framework's hook: every exception of an API view ends here."""
    problem = problem_of(error)
    if problem.status == 500:
        logger.error("%s failed", context["request"].path, exc_info=error)
    headers = problem.headers
    if isinstance(error, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return Response(problem.body, status=problem.status, headers=headers)


def problem_of(error: Exception) -> Problem:
    for kind, describe in _TABLE:
        if isinstance(error, kind):
            return describe(error)
    return Problem(500, "INTERNAL_ERROR", "Internal server error", "Oxide failed; its log says why.")


def answer(problem: Problem) -> HttpResponse:
    """The same body where no API view is involved."""
    return HttpResponse(
        JSONRenderer().render(problem.body),
        status=problem.status,
        headers=problem.headers,
        content_type="application/json",
    )


# Django calls these with just these parameter names: handler404 and its like in urls.py.


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(Problem(404, "NOT_FOUND", "Not found", "There is nothing at this address."))


def bad_request(request: HttpRequest | None = None, exception: Exception | None = None) -> HttpResponse:
    return answer(Problem(400, "VALIDATION_ERROR", "Bad request", "The request cannot be understood."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(Problem(403, "FORBIDDEN", "Forbidden", "You may not do this."))


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(problem_of(Exception()))


def _invalid(error: Exception) -> Problem:
    return Problem(400, "VALIDATION_ERROR", "Invalid request", str(error))


def _with(status: int, code: str, title: str) -> Callable[[Exception], Problem]:
    return lambda error: Problem(status, code, title, str(getattr(error, "detail", error)))


def _missing(error: Exception) -> Problem:
    return Problem(404, "NOT_FOUND", "Not found", str(error) or "There is nothing at this address.")


def too_big(_error: Exception | None = None) -> Problem:
    return Problem(413, "PAYLOAD_TOO_LARGE", "Payload too large", "The body is larger than OXIDE_MAX_BODY_MB allows.")


def overloaded() -> Problem:
    detail = "Every thread is taken. Try again in a moment, or raise OXIDE_THREADS."
    return Problem(503, "SERVICE_BUSY", "Service busy", detail, retry_after=1)


def _refused(error: Exception) -> Problem:
    return Problem(503, "SERVICE_BUSY", "Service busy", str(error), retry_after=5)


_FAILURES = {
    Code.VALIDATION_ERROR: (400, "Invalid request"),
    Code.PROVIDER_ERROR: (502, "Provider error"),
    Code.INVALID_API_KEY: (502, "Authentication failed"),
    Code.SERVICE_UNAVAILABLE: (503, "Service not available"),
    Code.SERVICE_BUSY: (503, "Service busy"),
    Code.TIMEOUT: (504, "Timeout"),
}


def _failed(error: TaskFailedError) -> Problem:
    failure = error.failure
    status, title = _FAILURES[failure.code]
    extra = {
        "task_id": str(error.task.pk),
        "status": error.task.status,
        "attempts": [presentation.attempt(attempt) for attempt in error.attempts],
    }
    return Problem(status, failure.code, title, failure.detail, failure.retry_after, extra)


def _invalid_fields(error: exceptions.ValidationError) -> Problem:
    return Problem(400, "VALIDATION_ERROR", "Invalid request", " ".join(_complaints(error.detail)))


def _complaints(detail: Any, field: str = "") -> Iterator[str]:
    """A serializer's errors, nested as its fields are, as sentences."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            path = field if name == "non_field_errors" else f"{field}.{name}".lstrip(".")
            yield from _complaints(inner, path)
    elif isinstance(detail, list):
        for inner in detail:
            yield from _complaints(inner, field)
    else:
        yield f"{field}: {detail}" if field else str(detail)


def _provider_failed(error: ProviderError) -> Problem:
    failure = failure_of(error, "the service")
    status, title = _FAILURES[failure.code]
    return Problem(status, failure.code, title, failure.detail, failure.retry_after)


_TABLE: list[tuple[type[Exception], Callable[[Any], Problem]]] = [
    (TaskFailedError, _failed),
    (ProviderError, _provider_failed),
    (BodyError, _invalid),
    (UnknownServiceError, _invalid),
    (UnsuitableError, _invalid),
    (AlreadyEndedError, _invalid),
    (QueueFullError, _refused),
    (RecorderError, _with(503, "SERVICE_UNAVAILABLE", "Database not available")),
    (Http404, _missing),
    (RequestDataTooBig, too_big),
    (PermissionDenied, _with(403, "FORBIDDEN", "Forbidden")),
    (exceptions.ParseError, _with(400, "VALIDATION_ERROR", "Invalid request")),
    (exceptions.ValidationError, _invalid_fields),
    (exceptions.NotAuthenticated, _with(401, "UNAUTHORIZED", "Authentication required")),
    (exceptions.AuthenticationFailed, _with(401, "UNAUTHORIZED", "Authentication failed")),
    (exceptions.PermissionDenied, _with(403, "FORBIDDEN", "Forbidden")),
    (exceptions.NotFound, _with(404, "NOT_FOUND", "Not found")),
    (exceptions.MethodNotAllowed, _with(405, "METHOD_NOT_ALLOWED", "Method not allowed")),
    (exceptions.NotAcceptable, _with(406, "NOT_ACCEPTABLE", "Not acceptable")),
    (exceptions.UnsupportedMediaType, _with(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type")),
]
