from __future__ import annotations

from typing import Annotated

import msgspec
from django.http import HttpRequest
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apikeys import decoding, security_log
from services import directory, key_presentation, keys

# For the documentation: what is refused is said by `keys.require_usable`, in words of its own.
Secret = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[!-~]+$", "maxLength": keys.MAX_LENGTH})]


class KeyTest(msgspec.Struct, forbid_unknown_fields=True):
    """`api_key` may be left out where the service has one already."""

    service: str
    api_key: Secret | None = None

    def __repr__(self) -> str:
        return f"KeyTest({self.service!r})"


class KeyUpdate(msgspec.Struct, forbid_unknown_fields=True):
    service: str
    api_key: Secret

    def __repr__(self) -> str:
        return f"KeyUpdate({self.service!r})"


class KeyViewSet(ViewSet):
    """The keys with which Oxide calls services. No answer shows more of one than its preview."""

    @action(detail=False, methods=["get"], url_path="status")
    def overview(self, _request: Request) -> Response:
        return Response(key_presentation.overview(directory.current()))

    @action(detail=False, methods=["get"], url_path="status/(?P<service>[^/]+)")
    def status(self, _request: Request, service: str) -> Response:
        config = directory.find(service)
        keys.require_key_taker(config)
        return Response(key_presentation.status(config))

    @action(detail=False, methods=["post"])
    def test(self, request: Request) -> Response:
        body = decoding.body(request.data, KeyTest)
        config = directory.find(body.service)
        security_log.record("provider_key_tested", _whole(request), name=config.name)
        return Response(key_presentation.tested(config, keys.test(config, body.api_key)))

    # Not named `update`: the router would offer it as PUT.
    @action(detail=False, methods=["post"], url_path="update")
    def replace(self, request: Request) -> Response:
        body = decoding.body(request.data, KeyUpdate)
        config = directory.find(body.service)
        updated = keys.update(config, body.api_key)
        security_log.record("provider_key_changed", _whole(request), name=config.name, stored_in=updated.stored_in)
        return Response(key_presentation.updated(config, body.api_key, updated))


def _whole(request: Request) -> HttpRequest:
    return request._request  # noqa: SLF001 - DRF documents it as the way to Django's
