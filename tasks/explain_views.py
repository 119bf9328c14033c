from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apikeys import decoding
from apikeys.identity import Scope
from tasks import body
from tasks.explain import explain


class ExplainView(APIView):
    """Who would do a task, and why: it takes the body of a task, and calls nobody."""

    scopes = {"post": Scope.READ}

    def post(self, request: Request) -> Response:
        return Response(explain(body.task_request(decoding.body(request.data, body.ExecuteBody))))
