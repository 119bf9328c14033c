"""`/health` and `/ready`: what load balancers ask, without identity and outside of rate limits.

They are answered before anything else looks at a request, because a probe often calls by an address that is no
allowed host name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring import readiness
from monitoring.negotiation import Unnegotiated

Answer = Callable[[HttpRequest], HttpResponseBase]


class Health(TypedDict):
    status: Literal["ok"]


class Check(TypedDict):
    """`detail` says what is wrong and what to do."""

    ok: bool
    detail: str


class Readiness(TypedDict):
    """The parts are database, migrations, cache and recorder. The last three keys are there with status 503."""

    status: Literal["ready", "not ready"]
    checks: dict[str, Check]
    error: NotRequired[str]
    detail: NotRequired[str]
    code: NotRequired[str]


class Probe(APIView):
    authentication_classes: Sequence[Any] = ()
    permission_classes: Sequence[Any] = ()
    content_negotiation_class = Unnegotiated


class HealthView(Probe):
    """This process answers. Nothing else is asked, so that a database that is away gets no process restarted."""

    def get(self, _request: Request) -> Response:
        return _fresh(Health(status="ok"))


class ReadyView(Probe):
    """Whether this process can do its work, or which part of it cannot and what to do."""

    def get(self, _request: Request) -> Response:
        problems = readiness.problems()
        checks = {part: Check(ok=not problem, detail=problem) for part, problem in problems.items()}
        failing = " ".join(f"{part}: {problem}" for part, problem in problems.items() if problem)
        if not failing:
            return _fresh(Readiness(status="ready", checks=checks))
        error = {"error": "Not ready", "detail": failing, "code": "SERVICE_UNAVAILABLE"}
        return _fresh({**Readiness(status="not ready", checks=checks), **error}, status=503)


def middleware(get_response: Answer) -> Answer:
    """To stand first."""
    probes = {"/health": HealthView.as_view(), "/ready": ReadyView.as_view()}

    def answer(request: HttpRequest) -> HttpResponseBase:
        probe = probes.get(request.path_info.removesuffix("/"))
        # What Django does where it calls a view.
        return probe(request).render() if probe else get_response(request)

    return answer


def _fresh(body: Any, status: int = 200) -> Response:
    return Response(body, status=status, headers={"Cache-Control": "no-store"})
