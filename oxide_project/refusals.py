"""Requests that no view gets to see: too large, too many at once, not to be decoded.

They pass the gate as all others do, which counts them and tells them their rate limit.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, cast

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from gateway.paths import canonical
from oxide_project import errors
from oxide_project.errors import Problem
from oxide_project.gate import Gate
from snapshots.connections import release_connection

# What says who calls, from where, and in which dialect. Nothing else of the request is looked at: it may be what is
# wrong with it.
_HEADERS = frozenset(
    {
        b"host",
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"cookie",
        b"origin",
        b"x-forwarded-for",
        b"anthropic-version",
        b"anthropic-beta",
        b"user-agent",
    }
)


class RefusedRequest(ASGIRequest):
    problem: Problem


def refuse(scope: dict[str, Any], problem: Problem) -> HttpResponseBase:
    """The answer to a request that goes no further. It may ask the database who calls."""
    path = canonical(scope["path"].replace("\0", ""))
    headers = [(name, value) for name, value in scope["headers"] if name in _HEADERS]
    request = RefusedRequest({**scope, "path": path, "query_string": b"", "headers": headers}, BytesIO())
    request.problem = problem
    try:
        return cast("HttpResponseBase", _gate(request))  # its type also allows for an asynchronous one
    finally:
        release_connection()


def _answer(request: HttpRequest) -> HttpResponse:
    assert isinstance(request, RefusedRequest)  # noqa: S101 - made above
    return errors.answer(request.problem, request.path_info, request.headers)


_gate = SessionMiddleware(AuthenticationMiddleware(Gate(_answer)))
