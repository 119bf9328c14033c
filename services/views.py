from __future__ import annotations

from django.shortcuts import get_object_or_404
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from services import availability, directory, health, presentation
from services.adapters.base import ErrorKind, ProviderError
from services.adapters.call import Call
from services.connections import adapter_for
from services.models import Service

# Answers of a server that has no list of models, or none that can be read.
_NO_LIST = frozenset({ErrorKind.UNSUPPORTED, ErrorKind.MALFORMED, ErrorKind.BAD_REQUEST, ErrorKind.MODEL_NOT_FOUND})


class ServiceViewSet(ViewSet):
    """The services that Oxide can call, and how they are."""

    lookup_url_kwarg = "name"
    lookup_value_regex = "[^/]+"

    def list(self, _request: Request) -> Response:
        return Response(presentation.overview(directory.current()))

    def retrieve(self, _request: Request, name: str) -> Response:
        return Response(presentation.detail(directory.find(name)))

    @action(detail=True, methods=["post"])
    def test(self, _request: Request, name: str) -> Response:
        config = directory.find(name)
        return Response(presentation.tested(config, health.check(config)))

    @action(detail=True, methods=["get"])
    def models(self, _request: Request, name: str) -> Response:
        config = directory.find(name)
        known = availability.state_of(config)
        try:
            found = adapter_for(config).models(Call.within(health.CHECK_SECONDS))
        except ProviderError as error:
            if not known.listed_models and error.kind not in _NO_LIST:
                raise
            return Response(presentation.models(config, known.models, error.message))
        return Response(presentation.models(config, found))

    @action(detail=True, methods=["post"])
    def enable(self, _request: Request, name: str) -> Response:
        return _switch(name, on=True)

    @action(detail=True, methods=["post"])
    def disable(self, _request: Request, name: str) -> Response:
        return _switch(name, on=False)


def _switch(name: str, *, on: bool) -> Response:
    service = get_object_or_404(Service, name=name)
    service.switch(on=on)
    return Response(presentation.detail(service.config))
