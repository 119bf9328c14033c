"""How logins and keys for programs look in the API's answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

from apikeys import policy
from apikeys.identity import Identity
from apikeys.models import ClientKey
from apikeys.tokens import Pair


class TokenPair(TypedDict):
    """`expires_in` is in seconds and about the access token; the refresh token gets the next pair, once."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    refresh_token: str


class LoggedOut(TypedDict):
    status: Literal["logged_out"]


class Me(TypedDict):
    name: str
    kind: Literal["anonymous", "user", "key"]
    scopes: list[str]
    auth_enabled: bool


class ClientKeyShown(TypedDict):
    id: int
    name: str
    prefix: str
    owner: str | None
    scopes: list[str]
    enabled: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ClientKeyMade(ClientKeyShown):
    """`key` is the key itself: this is the only answer that ever holds it."""

    key: str


class ClientKeyList(TypedDict):
    total: int
    keys: list[ClientKeyShown]


def token_pair(pair: Pair) -> TokenPair:
    return {
        "access_token": pair.access,
        "token_type": "bearer",
        "expires_in": pair.expires_in,
        "refresh_token": pair.refresh,
    }


def logged_out() -> LoggedOut:
    return {"status": "logged_out"}


def me(identity: Identity) -> Me:
    return {
        "name": identity.name,
        "kind": identity.kind,
        "scopes": sorted(identity.scopes),
        "auth_enabled": policy.current().auth_enabled,
    }


def client_key(key: ClientKey) -> ClientKeyShown:
    return {
        "id": key.pk,
        "name": key.name,
        "prefix": key.prefix,
        "owner": key.owner.get_username() if key.owner else None,
        "scopes": key.scopes,
        "enabled": key.enabled,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
    }


def client_key_made(key: ClientKey, secret: str) -> ClientKeyMade:
    return {**client_key(key), "key": secret}


def client_keys(keys: list[ClientKey]) -> ClientKeyList:
    return {"total": len(keys), "keys": [client_key(key) for key in keys]}
