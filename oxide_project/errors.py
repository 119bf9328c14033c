"""Exceptions as the API's error bodies: always `{"error", "detail", "code"}`.

The one table from exception to status and code. Whatever is not in it is a defect of ours: it is
logged, and its text is not shown.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from apikeys.decoding import BodyError
from apikeys.key_file import KeyFileError, NotWritableError
from apikeys.login_guard import TooManyFailuresError
from config.problems import ConfigInvalidError
from gateway.errors import complaint
from gateway.names import ModelNotFoundError
from gateway.paths import dialect_of
from oxide_project.body_budget import FREE_BYTES
from oxide_project.decompression import ACCEPTED, UnsupportedEncodingError
from oxide_project.parsing import AnonymousBodyTooBigError
from oxide_project.rendering import JSONRenderer
from routing.engine import UnknownServiceError
from services.adapters.base import ProviderError
from services.keys import KeyRefusedError
from tasks import presentation
from tasks.background import QueueFullError
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
    accept_encoding: str = ""

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.error, "detail": self.detail, "code": self.code, **self.extra}

    @property
    def headers(self) -> dict[str, str]:
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
        if self.accept_encoding:
            headers["Accept-Encoding"] = self.accept_encoding
        return headers | {"WWW-Authenticate": "Bearer"} if self.status == 401 else headers


def handle_exception(error: Exception, context: dict[str, Any]) -> Response:
    """Django REST framework's hook: every exception of an API view ends here."""
    request = context["request"]
    log(error, request.path)
    status, body, headers = in_dialect(problem_of(error), request.path, request.headers)
    if isinstance(error, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return Response(body, status=status, headers=headers)


def log(error: Exception, path: str) -> None:
    """What an operator has to know: defects of ours, and a database that is away."""
    if isinstance(error, _DATABASE_ERRORS):
        logger.error("%s: the database is not available: %s", path, error)
    elif problem_of(error).status == 500:
        logger.error("%s failed", path, exc_info=error)


def problem_of(error: Exception) -> Problem:
    for kind, describe in _TABLE:
        if isinstance(error, kind):
            return describe(error)
    return Problem(500, "INTERNAL_ERROR", "Internal server error", "Oxide failed; its log says why.")


def in_dialect(
    problem: Problem, path: str, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers as the clients of an address understand them; `headers` are the request's."""
    dialect = dialect_of(path, headers)
    if dialect is None:
        return problem.status, problem.body, problem.headers
    told = complaint(dialect, problem.status, problem.body, problem.retry_after)
    return told.status, dict(told.body), problem.headers | told.headers


def answer(problem: Problem, path: str = "", headers: Mapping[str, str] = MappingProxyType({})) -> HttpResponse:
    """The same where no API view is involved."""
    status, body, more = in_dialect(problem, path, headers)
    return HttpResponse(JSONRenderer().render(body), status=status, headers=more, content_type="application/json")


# Django calls these with just these parameter names: handler404 and its like in urls.py.


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    problem = Problem(404, "NOT_FOUND", "Not found", "There is nothing at this address.")
    return answer(problem, request.path, request.headers)


def bad_request(request: HttpRequest | None = None, exception: Exception | None = None) -> HttpResponse:
    problem = malformed("The request cannot be understood. Check its headers, cookies and query.")
    if isinstance(exception, DisallowedHost):
        problem = malformed("Oxide does not serve this Host. Add it to OXIDE_ALLOWED_HOSTS.")
    return answer(problem, request.path, request.headers) if request else answer(problem)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return answer(Problem(403, "FORBIDDEN", "Forbidden", "You may not do this."), request.path, request.headers)


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(problem_of(Exception()), request.path, request.headers)


def _invalid(error: Exception) -> Problem:
    return Problem(400, "VALIDATION_ERROR", "Invalid request", str(error))


def _with(status: int, code: str, title: str) -> Callable[[Exception], Problem]:
    return lambda error: Problem(status, code, title, str(getattr(error, "detail", error)))


def _missing(error: Exception) -> Problem:
    return Problem(404, "NOT_FOUND", "Not found", str(error) or "There is nothing at this address.")


def malformed(detail: str) -> Problem:
    return Problem(400, "VALIDATION_ERROR", "Bad request", detail)


def too_big(_error: Exception | None = None) -> Problem:
    return Problem(413, "PAYLOAD_TOO_LARGE", "Payload too large", "The body is larger than OXIDE_MAX_BODY_MB allows.")


def anonymous_too_big(_error: Exception | None = None) -> Problem:
    detail = f"Without valid credentials a body may have {FREE_BYTES // 1024} KB. Send a key or a token with it."
    return Problem(413, "PAYLOAD_TOO_LARGE", "Payload too large", detail)


def too_much_at_once() -> Problem:
    detail = (
        "Too many large bodies without valid credentials come in at once. Send a key or a token, or try again later."
    )
    return Problem(503, "SERVICE_BUSY", "Service busy", detail, retry_after=5)


def overloaded() -> Problem:
    detail = "Every thread is taken. Try again in a moment, or raise OXIDE_THREADS."
    return Problem(503, "SERVICE_BUSY", "Service busy", detail, retry_after=1)


def draining() -> Problem:
    detail = "This process is about to end. Connect again in a moment."
    return Problem(503, "SERVICE_UNAVAILABLE", "Service not available", detail, retry_after=1)


def _refused(error: Exception) -> Problem:
    return Problem(503, "SERVICE_BUSY", "Service busy", str(error), retry_after=5)


def _suspicious(_error: Exception) -> Problem:
    """Django's limits on what is parsed: parameters, fields, files."""
    return malformed("The request has too many parts. Send fewer query parameters.")


def _database_away(_error: Exception) -> Problem:
    detail = "The database is not available. Try again in a moment; the log says why."
    return Problem(503, "SERVICE_UNAVAILABLE", "Database not available", detail, retry_after=5)


def _unsupported(error: exceptions.UnsupportedMediaType) -> Problem:
    detail = f"{error.detail} Send JSON, with the header Content-Type: application/json."
    return Problem(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", detail)


def _unknown_encoding(error: UnsupportedEncodingError) -> Problem:
    """https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16"""
    return Problem(
        415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported content encoding", str(error), accept_encoding=", ".join(ACCEPTED)
    )


_FAILURES = {
    Code.VALIDATION_ERROR: (400, "Invalid request"),
    Code.MODEL_NOT_FOUND: (404, "Model not found"),
    Code.PROVIDER_RATE_LIMITED: (429, "Provider rate limit exceeded"),
    Code.PROVIDER_OVERLOADED: (529, "Provider overloaded"),
    Code.PROVIDER_ERROR: (502, "Provider error"),
    Code.INVALID_API_KEY: (502, "Authentication failed"),
    Code.SERVICE_UNAVAILABLE: (503, "Service not available"),
    Code.SERVICE_BUSY: (503, "Service busy"),
    Code.TIMEOUT: (504, "Timeout"),
    Code.CANCELLED: (503, "Cancelled"),
}


def _failed(error: TaskFailedError) -> Problem:
    failure = error.failure
    status, title = _FAILURES[failure.code]
    extra: dict[str, Any] = {
        "task_id": str(error.task.pk),
        "status": error.task.status,
        "attempts": [presentation.attempt(attempt) for attempt in error.attempts],
    }
    if failure.provider:
        extra["provider_error"] = failure.provider
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


def too_many(detail: str, retry_after: float) -> Problem:
    return Problem(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded", detail, retry_after)


def _guessing(error: TooManyFailuresError) -> Problem:
    return too_many(str(error), error.retry_after)


def _config_invalid(error: ConfigInvalidError) -> Problem:
    first, *more = str(error).splitlines()
    others = f" {len(more)} more: see problems." if more else ""
    detail = f"{first.rstrip('.')}.{others} Nothing was changed: the old configuration stays in force."
    return _config_problem(detail, [asdict(problem) for problem in error.problems])


def _key_file_invalid(error: KeyFileError) -> Problem:
    problem = {"line": error.line, "field": error.field, "message": error.message}
    place = ", ".join(part for part in (f"line {error.line}" if error.line else "", error.field) if part)
    detail = f"The configuration file cannot be changed{f' ({place})' if place else ''}. {error.message}"
    return _config_problem(f"{detail} Nothing was written.", [problem])


def _config_problem(detail: str, problems: list[dict[str, Any]]) -> Problem:
    return Problem(400, "CONFIG_INVALID", "Invalid configuration", detail, extra={"problems": problems})


def _key_file_not_writable(error: NotWritableError) -> Problem:
    detail = f"The key cannot be saved in the configuration file. {error.message}"
    return Problem(503, "SERVICE_UNAVAILABLE", "Configuration file not writable", detail)


def _provider_failed(error: ProviderError) -> Problem:
    failure = failure_of(error, "the service")
    status, title = _FAILURES[failure.code]
    extra = {"provider_error": failure.provider}
    return Problem(status, failure.code, title, failure.detail, failure.retry_after, extra)


# Their texts name hosts, users and tables: they are for the log.
_DATABASE_ERRORS = (RecorderError, OperationalError, InterfaceError)

_TABLE: list[tuple[type[Exception], Callable[[Any], Problem]]] = [
    (TaskFailedError, _failed),
    (ProviderError, _provider_failed),
    (BodyError, _invalid),
    (UnknownServiceError, _invalid),
    (UnsuitableError, _invalid),
    (ModelNotFoundError, _with(404, "MODEL_NOT_FOUND", "Model not found")),
    (AlreadyEndedError, _invalid),
    (QueueFullError, _refused),
    (KeyRefusedError, _invalid),
    (TooManyFailuresError, _guessing),
    (NotWritableError, _key_file_not_writable),
    (KeyFileError, _key_file_invalid),
    (ConfigInvalidError, _config_invalid),
    *((kind, _database_away) for kind in _DATABASE_ERRORS),
    (Http404, _missing),
    (AnonymousBodyTooBigError, anonymous_too_big),
    (RequestDataTooBig, too_big),
    (SuspiciousOperation, _suspicious),
    (PermissionDenied, _with(403, "FORBIDDEN", "Forbidden")),
    (exceptions.ParseError, _with(400, "VALIDATION_ERROR", "Invalid request")),
    (exceptions.ValidationError, _invalid_fields),
    (exceptions.NotAuthenticated, _with(401, "UNAUTHORIZED", "Authentication required")),
    (exceptions.AuthenticationFailed, _with(401, "UNAUTHORIZED", "Authentication failed")),
    (exceptions.PermissionDenied, _with(403, "FORBIDDEN", "Forbidden")),
    (exceptions.NotFound, _with(404, "NOT_FOUND", "Not found")),
    (exceptions.MethodNotAllowed, _with(405, "METHOD_NOT_ALLOWED", "Method not allowed")),
    (exceptions.NotAcceptable, _with(406, "NOT_ACCEPTABLE", "Not acceptable")),
    (exceptions.UnsupportedMediaType, _unsupported),
    (UnsupportedEncodingError, _unknown_encoding),
]
