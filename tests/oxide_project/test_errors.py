"""From exceptions to what callers are told."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from apikeys.decoding import BodyError
from apikeys.key_file import KeyFileError, NotWritableError
from apikeys.login_guard import TooManyFailuresError
from config.problems import ConfigInvalidError, Problem
from gateway.names import ModelNotFoundError
from oxide_project import errors
from oxide_project.decompression import UnsupportedEncodingError
from oxide_project.parsing import AnonymousBodyTooBigError
from oxide_project.rendering import JSONRenderer
from routing.engine import UnknownServiceError
from services.adapters.base import ErrorKind, ProviderError
from services.keys import KeyRefusedError
from tasks.background import QueueFullError
from tasks.cancel import AlreadyEndedError
from tasks.errors import Code, Failure, TaskFailedError, UnsuitableError
from tasks.models import Attempt, Status, Task
from tasks.recorder import RecorderError

SECRET = "postgres://oxide:hunter2@10.0.0.5/oxide"


def failed(code: Code, retry_after: float | None = None) -> TaskFailedError:
    task = Task(status=Status.FAILED)
    attempt = Attempt(task=task, number=1, service="first", status=Status.FAILED, error="It was away.")
    return TaskFailedError(task, [attempt], Failure(code, "It did not work.", retry_after))


CASES: list[tuple[Exception, int, str]] = [
    (failed(Code.VALIDATION_ERROR), 400, "VALIDATION_ERROR"),
    (failed(Code.PROVIDER_ERROR), 502, "PROVIDER_ERROR"),
    (failed(Code.MODEL_NOT_FOUND), 404, "MODEL_NOT_FOUND"),
    (failed(Code.PROVIDER_RATE_LIMITED), 429, "PROVIDER_RATE_LIMITED"),
    (failed(Code.PROVIDER_OVERLOADED), 529, "PROVIDER_OVERLOADED"),
    (failed(Code.INVALID_API_KEY), 502, "INVALID_API_KEY"),
    (failed(Code.SERVICE_UNAVAILABLE), 503, "SERVICE_UNAVAILABLE"),
    (failed(Code.SERVICE_BUSY), 503, "SERVICE_BUSY"),
    (failed(Code.TIMEOUT), 504, "TIMEOUT"),
    (ProviderError(ErrorKind.CONNECT, "No connection."), 503, "SERVICE_UNAVAILABLE"),
    (BodyError("prompt is empty."), 400, "VALIDATION_ERROR"),
    (UnknownServiceError("nope", ["echo"]), 400, "VALIDATION_ERROR"),
    (UnsuitableError("No service takes images."), 400, "VALIDATION_ERROR"),
    (ModelNotFoundError("Nobody has it."), 404, "MODEL_NOT_FOUND"),
    (AlreadyEndedError("It is over."), 400, "VALIDATION_ERROR"),
    (QueueFullError("Too many."), 503, "SERVICE_BUSY"),
    (KeyRefusedError("It has no key."), 400, "VALIDATION_ERROR"),
    (TooManyFailuresError(60), 429, "RATE_LIMIT_EXCEEDED"),
    (KeyFileError("Mend it.", line=3, field="services"), 400, "CONFIG_INVALID"),
    (NotWritableError("Check its permissions."), 503, "SERVICE_UNAVAILABLE"),
    (
        ConfigInvalidError(Path("oxide.yaml"), (Problem(1, "a", "is wrong"), Problem(2, "b", "too"))),
        400,
        "CONFIG_INVALID",
    ),
    (RecorderError(SECRET), 503, "SERVICE_UNAVAILABLE"),
    (OperationalError(SECRET), 503, "SERVICE_UNAVAILABLE"),
    (InterfaceError(SECRET), 503, "SERVICE_UNAVAILABLE"),
    (Http404("There is no such thing."), 404, "NOT_FOUND"),
    (RequestDataTooBig(), 413, "PAYLOAD_TOO_LARGE"),
    (AnonymousBodyTooBigError(), 413, "PAYLOAD_TOO_LARGE"),
    (TooManyFieldsSent(), 400, "VALIDATION_ERROR"),
    (DisallowedHost(), 400, "VALIDATION_ERROR"),
    (PermissionDenied("Not you."), 403, "FORBIDDEN"),
    (exceptions.ParseError("No JSON."), 400, "VALIDATION_ERROR"),
    (exceptions.ValidationError({"name": ["This field is required."]}), 400, "VALIDATION_ERROR"),
    (exceptions.NotAuthenticated(), 401, "UNAUTHORIZED"),
    (exceptions.AuthenticationFailed(), 401, "UNAUTHORIZED"),
    (exceptions.PermissionDenied(), 403, "FORBIDDEN"),
    (exceptions.NotFound(), 404, "NOT_FOUND"),
    (exceptions.MethodNotAllowed("PUT"), 405, "METHOD_NOT_ALLOWED"),
    (exceptions.NotAcceptable(), 406, "NOT_ACCEPTABLE"),
    (exceptions.UnsupportedMediaType("text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE"),
    (UnsupportedEncodingError("br"), 415, "UNSUPPORTED_MEDIA_TYPE"),
    (RuntimeError(SECRET), 500, "INTERNAL_ERROR"),
    (KeyError(SECRET), 500, "INTERNAL_ERROR"),
    (RecursionError(), 500, "INTERNAL_ERROR"),
]


def case_id(value: object) -> str | None:
    return type(value).__name__ if isinstance(value, Exception) else None


@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=case_id)
def test_each_exception_has_a_status_and_a_code(error: Exception, status: int, code: str) -> None:
    problem = errors.problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    assert problem.body.keys() >= {"error", "detail", "code"}
    assert problem.error
    assert problem.detail
    assert b"hunter2" not in JSONRenderer().render(problem.body)


@pytest.mark.parametrize("kind", [kind for kind, _ in errors._TABLE])
def test_no_row_of_the_table_is_untested(kind: type[Exception]) -> None:
    # The first row that fits is taken: each must be reached by a case of its own.
    reached = {next((row for row, _ in errors._TABLE if isinstance(error, row)), None) for error, _, _ in CASES}
    assert kind in reached


@pytest.mark.parametrize("kind", ErrorKind)
def test_each_kind_of_provider_error_is_told(kind: ErrorKind) -> None:
    problem = errors.problem_of(ProviderError(kind, "It did not work."))
    assert 400 <= problem.status <= 504 or problem.status == 529
    assert problem.status != 500
    assert problem.status != 401, "our key was refused, not the client's"


def test_a_failed_task_tells_its_story() -> None:
    error = failed(Code.PROVIDER_ERROR)
    body = errors.problem_of(error).body
    assert (body["task_id"], body["status"]) == (str(error.task.pk), "failed")
    assert [(attempt["service"], attempt["error"]) for attempt in body["attempts"]] == [("first", "It was away.")]


@pytest.mark.parametrize(
    ("seconds", "header"), [(None, None), (0, "1"), (0.2, "1"), (1, "1"), (1.5, "2"), (29.01, "30"), (3600, "3600")]
)
def test_retry_after_is_in_whole_seconds(seconds: float | None, header: str | None) -> None:
    assert errors.problem_of(failed(Code.SERVICE_BUSY, seconds)).headers.get("Retry-After") == header


@pytest.mark.parametrize("problem", [errors.overloaded(), errors.problem_of(OperationalError())])
def test_a_passing_trouble_says_when_to_come_back(problem: errors.Problem) -> None:
    answer = errors.answer(problem)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) >= 1


def test_a_wrong_media_type_says_which_is_right() -> None:
    assert "Content-Type: application/json" in errors.problem_of(exceptions.UnsupportedMediaType("text/plain")).detail


def test_a_foreign_host_is_told_where_hosts_are_named() -> None:
    answer = errors.bad_request(None, DisallowedHost("Invalid HTTP_HOST header: 'evil'"))
    assert "OXIDE_ALLOWED_HOSTS" in json.loads(answer.content)["detail"]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (errors.bad_request(), 400, "VALIDATION_ERROR"),
        (errors.forbidden(APIRequestFactory().get("/")), 403, "FORBIDDEN"),
        (errors.not_found(APIRequestFactory().get("/")), 404, "NOT_FOUND"),
        (errors.server_error(APIRequestFactory().get("/")), 500, "INTERNAL_ERROR"),
    ],
)
def test_answers_outside_the_api_look_alike(answer: Any, status: int, code: str) -> None:
    assert answer["Content-Type"] == "application/json"
    assert answer.status_code == status
    body = json.loads(answer.content)
    assert body.keys() == {"error", "detail", "code"}
    assert body["code"] == code


class OpenView(APIView):
    authentication_classes = []
    permission_classes = []


def respond(error: Exception) -> Response:
    """The answer of an API view that raises."""

    class Raising(OpenView):
        def get(self, *_: Any) -> Response:
            raise error

    answer = Raising.as_view()(APIRequestFactory().get("/somewhere"))
    assert isinstance(answer, Response)
    return answer


def test_an_unknown_exception_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    answer = respond(RuntimeError(SECRET))
    assert answer.status_code == 500
    assert "hunter2" not in str(answer.data)
    assert "hunter2" in caplog.text
    assert "/somewhere failed" in caplog.text


@pytest.mark.parametrize("error", [RecorderError(SECRET), OperationalError(SECRET)])
def test_a_database_that_is_away_is_logged_in_one_line(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    answer = respond(error)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    assert SECRET in record.getMessage()


def test_a_callers_mistake_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    respond(BodyError("prompt is empty."))
    assert not caplog.records


def test_a_refused_method_names_those_that_are_there() -> None:
    class Getting(OpenView):
        def get(self, *_: Any) -> Response:
            return Response({})

    answer = Getting.as_view()(APIRequestFactory().put("/"))
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
