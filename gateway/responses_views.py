"""OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apikeys.identity import Scope
from gateway import calling, responses_answer, responses_body
from gateway.responses_stream import ResponseStream


class ResponsesView(APIView):
    scopes = {"post": Scope.EXECUTE}

    def post(self, request: Request) -> HttpResponseBase:
        body = responses_body.read(request.data)
        run = calling.begin(request, responses_body.task_request(body, request.data), streams=bool(body.stream))
        if body.stream:
            return ResponseStream(run, body)
        answer = responses_answer.whole(run.task, body, calling.finish(run))
        return calling.tell(Response(answer), run)
