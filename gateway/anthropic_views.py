"""Anthropic's API: https://platform.claude.com/docs/en/api/overview"""

from __future__ import annotations

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apikeys.identity import Scope
from gateway import calling, messages_answer, messages_body
from gateway.counting import count_tokens
from gateway.messages_stream import MessageStream


class MessagesView(APIView):
    scopes = {"post": Scope.EXECUTE}

    def post(self, request: Request) -> HttpResponseBase:
        body = messages_body.read(request.data)
        wanted = messages_body.task_request(body, request.data, request.headers)
        run = calling.begin(request, wanted, streams=bool(body.stream))
        if body.stream:
            return MessageStream(run)
        answer = messages_answer.message(run.task, calling.finish(run))
        return calling.tell(HttpResponse(answer, content_type="application/json"), run)


class CountTokensView(APIView):
    scopes = {"post": Scope.EXECUTE}

    def post(self, request: Request) -> Response:
        body = messages_body.read_to_count(request.data)
        wanted = messages_body.task_request(body, request.data, request.headers)
        return Response({"input_tokens": count_tokens(wanted)})
