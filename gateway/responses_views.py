"""OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apikeys.identity import Scope
from gateway import calling, responses_answer, responses_body, responses_settings
from gateway.responses_stream import ResponseStream


class ResponsesView(APIView):
    scopes = {"post": Scope.EXECUTE}

    def post(self, request: Request) -> HttpResponseBase:
        body = responses_body.read(request.data)
        run = calling.begin(request, responses_body.task_request(body, request.data), streams=bool(body.stream))
        settings = responses_settings.settings(body, request.data)
        if body.stream:
            return ResponseStream(run, settings)
        answer = responses_answer.whole(run.task, settings, calling.finish(run))
        return calling.tell(Response(answer), run)
