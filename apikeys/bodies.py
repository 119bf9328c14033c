"""The bodies of `/auth/…` and `/api/api-keys/clients/`, validated as they are decoded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from apikeys.identity import Scope

# For the documentation, where \Z is not known: `apikeys.models.valid_key_name` is what decides.
_KEY_NAME = "^[A-Za-z0-9][A-Za-z0-9_.@ -]*$"


class LoginBody(Struct, forbid_unknown_fields=True):
    username: Annotated[str, Meta(min_length=1, max_length=150)]
    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class RefreshBody(Struct, forbid_unknown_fields=True):
    refresh_token: Annotated[str, Meta(min_length=1, max_length=4096)]


class LogoutBody(Struct, forbid_unknown_fields=True):
    refresh_token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class ClientKeyBody(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=100, extra_json_schema={"pattern": _KEY_NAME})]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=3)] = msgspec.field(
        default_factory=lambda: [Scope.EXECUTE]
    )
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
