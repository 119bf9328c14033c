"""Which models there are, in the dialect of whoever asks."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apikeys.permissions import OWN_OR_ALL
from gateway import model_list, model_pages, names
from gateway.paths import dialect_of


class ModelListView(APIView):
    scopes = {"get": OWN_OR_ALL}

    def get(self, request: Request) -> Response:
        dialect = dialect_of(request.path, request.headers) or "openai"
        page = model_pages.page(tuple(names.offers()), request.query_params, dialect)
        return Response(model_list.anthropic(page) if dialect == "anthropic" else model_list.openai(page))


class ModelView(APIView):
    scopes = {"get": OWN_OR_ALL}

    def get(self, request: Request, model: str) -> Response:
        offer = names.offer(model)
        is_anthropic = _is_anthropic(request)
        return Response(model_list.anthropic_entry(offer) if is_anthropic else model_list.openai_entry(offer))


def _is_anthropic(request: Request) -> bool:
    return dialect_of(request.path, request.headers) == "anthropic"
