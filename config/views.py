from __future__ import annotations

from django.conf import settings
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apikeys.identity import Scope
from config import presentation
from config.apply import apply
from config.reading import read


class ConfigViewSet(ViewSet):
    """The configuration in force, and reading the file again."""

    scopes = {"list": Scope.ADMIN}  # it shows addresses

    def list(self, _request: Request) -> Response:
        return Response(presentation.configuration())

    @action(detail=False, methods=["post"])
    def reload(self, request: Request) -> Response:
        changes = apply(read(settings.CONFIG_FILE))
        changes.note(request._request)  # noqa: SLF001 - DRF documents it as the way to Django's
        return Response(presentation.reloaded(changes))
