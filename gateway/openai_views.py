"""OpenAI's API: https://platform.openai.com/docs/api-reference"""

from __future__ import annotations

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apikeys import decoding
from apikeys.identity import Scope
from gateway import calling, chat_answer, chat_body, completion_answer, completion_body, embeddings
from gateway.chat_stream import ChatStream
from gateway.completion_answer import CompletionStream


class ChatCompletionsView(APIView):
    scopes = {"post": Scope.EXECUTE}

    def post(self, request: Request) -> HttpResponseBase:
        body = chat_body.read(request.data)
        run = calling.begin(request, chat_body.task_request(body, request.data), streams=bool(body.stream))
        if body.stream:
            return ChatStream(run, wants_usage=body.wants_usage)
        answer = chat_answer.completion(run.task, calling.finish(run))
        return calling.tell(HttpResponse(answer, content_type="application/json"), run)


class CompletionsView(APIView):
    scopes = {"post": Scope.EXECUTE}

    def post(self, request: Request) -> HttpResponseBase:
        body = completion_body.read(request.data)
        run = calling.begin(request, completion_body.task_request(body, request.data), streams=bool(body.stream))
        if body.stream:
            return CompletionStream(run, wants_usage=body.wants_usage)
        answer = completion_answer.completion(run, calling.finish(run))
        return calling.tell(HttpResponse(answer, content_type="application/json"), run)


class EmbeddingsView(APIView):
    scopes = {"post": Scope.EXECUTE}

    def post(self, request: Request) -> HttpResponseBase:
        body = decoding.body(request.data, embeddings.EmbeddingsBody)
        run = calling.begin(request, embeddings.task_request(body, request.data))
        answer = embeddings.answer(calling.finish(run), body.encoding_format)
        return calling.tell(Response(answer), run)
