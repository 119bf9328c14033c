"""Which models there are, in the dialect of whoever asks."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gateway import model_list, names
from gateway.paths import dialect_of


class ModelListView(APIView):
    def get(self, request: Request) -> Response:
        offers = tuple(names.offers())
        show = model_list.anthropic if _is_anthropic(request) else model_list.openai
        return Response(show(offers))


class ModelView(APIView):
    def get(self, request: Request, model: str) -> Response:
        show = model_list.anthropic_entry if _is_anthropic(request) else model_list.openai_entry
        return Response(show(names.offer(model)))


def _is_anthropic(request: Request) -> bool:
    return dialect_of(request.path, request.headers) == "anthropic"
