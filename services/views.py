from __future__ import annotations

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from services import directory, presentation


class ServiceViewSet(ViewSet):
    """The services that Oxide can call, and how they are."""

    lookup_value_regex = "[^/]+"

    def list(self, _request: Request) -> Response:
        return Response(presentation.overview(directory.current()))

    def retrieve(self, _request: Request, pk: str) -> Response:
        config = directory.current().get(pk)
        if config is None:
            raise Http404(f"There is no service named {pk!r}. GET /api/services/ lists them.")
        return Response(presentation.detail(config))
