"""How Django REST framework learns who calls."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apikeys.credentials import caller, presented, refusal
from apikeys.identity import Identity


class ByIdentity(BaseAuthentication):
    """`request.user` is an `Identity`; credentials that are not valid are refused."""

    def authenticate(self, request: Request) -> tuple[Identity, None]:
        whole: Any = request._request  # noqa: SLF001 - DRF documents it as the way to Django's
        whole.wrapper = request  # which its end is told to: see `oxide_project.handler.Request`
        identity = caller(whole)
        if identity is None:
            raise AuthenticationFailed(refusal(presented(whole)))
        return identity, None

    def authenticate_header(self, _request: Request) -> str:
        return "Bearer"
