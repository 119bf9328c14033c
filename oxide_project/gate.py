"""What stands before every view of the API: who calls, how often, and from which web page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from apikeys import limits, policy
from apikeys.credentials import caller
from apikeys.limits import Allowance
from gateway import headers
from gateway.errors import new_request_id
from gateway.paths import counts_tokens
from oxide_project import errors
from oxide_project.errors import Problem

_GUARDED = re.compile(r"/(api|v1|auth)(/|\Z)")
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
_EXPOSED = ", ".join(
    ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After", "x-request-id"]
    + ["request-id", "retry-after-ms", "x-should-retry", "x-oxide-advice"]
    + [f"x-oxide-{what}" for what in ("task-id", "service", "model", "attempts", "dropped", "cost", "cost-basis")]
)
_PREFLIGHT_SECONDS = 600


class Gate:
    """Whether a caller may use a view is that view's own question (`apikeys.permissions.HasScope`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not _GUARDED.match(request.path_info):
            return self._get_response(request)
        try:
            response = self._answer(request)
            _let_page_read(request, response)
        except (OperationalError, InterfaceError) as error:  # before anything was ever read from the database
            response = _refuse(request, errors.problem_of(error))
        if request.path_info.startswith("/v1"):
            _name(response)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        preflight = _is_preflight(request)
        # A browser asks first before it calls; only the call counts.
        is_free = counts_tokens(request.path_info)
        allowance = limits.count(request, caller(request), increment=not preflight, is_free=is_free)
        if preflight:
            response: HttpResponseBase = _allow_call(request)
        elif allowance and allowance.exceeded:
            detail = f"Too many requests. Retry after {allowance.retry_after} seconds."
            response = _refuse(request, errors.too_many(detail, allowance.retry_after))
        elif _is_foreign_page(request):
            response = _refuse(request, _foreign_page())
        else:
            response = self._get_response(request)
        if allowance:
            _tell_allowance(request, response, allowance)
        return response


def _refuse(request: HttpRequest, problem: Problem) -> HttpResponse:
    return errors.answer(problem, request.path_info, request.headers)


def _name(response: HttpResponseBase) -> None:
    """Each answer has an id, which SDKs show with their errors; that of a task is the task's."""
    if "x-request-id" not in response:
        response["x-request-id"] = response["request-id"] = new_request_id()


def _tell_allowance(request: HttpRequest, response: HttpResponseBase, allowance: Allowance) -> None:
    limit, remaining = str(allowance.limit), str(allowance.remaining)
    told = {
        "X-RateLimit-Limit": limit,
        "X-RateLimit-Remaining": remaining,
        "X-RateLimit-Reset": str(allowance.reset),
    }
    if request.path_info.startswith("/v1"):
        # The same as OpenAI and Anthropic say it.
        # https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers,
        # https://platform.claude.com/docs/en/api/rate-limits#response-headers
        told["x-ratelimit-limit-requests"] = told["anthropic-ratelimit-requests-limit"] = limit
        told["x-ratelimit-remaining-requests"] = told["anthropic-ratelimit-requests-remaining"] = remaining
        told["x-ratelimit-reset-requests"] = f"{allowance.retry_after}s"
        told["anthropic-ratelimit-requests-reset"] = _timestamp(allowance.reset)
    headers.put(response, told)


@lru_cache(maxsize=128)  # the same for all answers to one caller within a window
def _timestamp(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


# Web pages elsewhere (CORS). No credentials of the browser's own are ever let through: pages send a token.
# https://fetch.spec.whatwg.org/#http-cors-protocol


def _is_listed(request: HttpRequest) -> bool:
    return request.headers.get("Origin") in policy.current().cors_origins


def _is_preflight(request: HttpRequest) -> bool:
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers and _is_listed(request)


def _allow_call(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
    asked = request.headers.get("Access-Control-Request-Headers", "")
    if re.fullmatch(r"[A-Za-z0-9_, -]{1,2000}", asked):
        response["Access-Control-Allow-Headers"] = asked
    response["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    return response


def _let_page_read(request: HttpRequest, response: HttpResponseBase) -> None:
    if not policy.current().cors_origins:
        return
    patch_vary_headers(response, ["Origin"])
    if _is_listed(request):
        response["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response["Access-Control-Expose-Headers"] = _EXPOSED


def _is_foreign_page(request: HttpRequest) -> bool:
    """Whether another site's page makes a browser change something here, which identity alone does not prevent: with
    it off anybody may, and a session goes with every request.
    """
    origin: str | None = request.META.get("HTTP_ORIGIN")  # past `headers`, which makes a table of all of them
    if origin is None or request.method in _SAFE or _is_listed(request):
        return False
    host = request.headers.get("Host") or request.META.get("SERVER_NAME", "")
    return origin.partition("://")[2].lower() != host.lower()


def _foreign_page() -> Problem:
    detail = "A web page from elsewhere may not call Oxide. Add its origin to security.cors_origins and reload."
    return Problem(403, "FORBIDDEN", "Forbidden", detail)
