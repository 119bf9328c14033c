from __future__ import annotations

from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apikeys import decoding, presentation
from apikeys.audited_admin import note
from apikeys.bodies import ClientKeyBody
from apikeys.identity import Identity
from apikeys.models import ClientKey, valid_key_name
from apikeys.permissions import known_caller

# Far enough from the last date there is for any time zone.
_END_OF_TIME = datetime(9000, 1, 1, tzinfo=UTC)


class ClientKeyViewSet(ViewSet):
    """Keys with which programs call Oxide."""

    lookup_value_regex = "[0-9]{1,18}"

    def list(self, _request: Request) -> Response:
        return Response(presentation.client_keys(list(ClientKey.objects.select_related("owner"))))

    def create(self, request: Request) -> Response:
        body = decoding.body(request.data, ClientKeyBody)
        _check(body, known_caller(request))
        key = ClientKey(
            name=body.name,
            scopes=sorted(set(body.scopes)),
            expires_at=body.expires_at,
            owner_id=known_caller(request).user_id,
        )
        secret = key.draw_secret()
        try:
            with transaction.atomic():
                key.save()
        except IntegrityError:
            raise ValidationError(f"name: there is a key named {body.name!r} already. Choose another name.") from None
        whole = request._request  # noqa: SLF001 - DRF documents it as the way to Django's
        note(whole, "created", key, scopes=key.scopes, prefix=key.prefix)
        # The only answer that ever holds the key.
        return Response(presentation.client_key_made(key, secret), status=201)

    def destroy(self, request: Request, pk: str) -> Response:
        key = get_object_or_404(ClientKey, pk=int(pk))
        note(request._request, "deleted", key, prefix=key.prefix)  # noqa: SLF001
        key.delete()
        return Response(status=204)


def _check(body: ClientKeyBody, caller: Identity) -> None:
    if not valid_key_name.regex.search(body.name):  # type: ignore[union-attr]  # a pattern once it is made
        raise ValidationError(f"name: {valid_key_name.message}")
    if body.expires_at and not timezone.now() < body.expires_at < _END_OF_TIME:
        raise ValidationError("expires_at: must lie ahead, before the year 9000. Leave it out for a key without end.")
    if lacking := sorted(set(body.scopes) - caller.scopes):
        raise PermissionDenied(f"You cannot grant what you do not have yourself: {', '.join(lacking)}.")
