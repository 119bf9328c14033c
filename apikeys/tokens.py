"""What a login gives: an access token for ten minutes, and a refresh token that gets the next pair, once.

Both carry the id of their login (`login`) and a fingerprint of the password (`hash_password`), so that they die
with either. Nothing that is checked for an access token needs the database.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import datetime_from_epoch

from apikeys import accounts
from apikeys.identity import Identity
from apikeys.models import EndedLogin
from snapshots.snapshot import Snapshot

_LOGIN = "login"
_FINGERPRINT = "hash_password"
_MAX_LENGTH = 4096


class RefusedTokenError(Exception):
    """It is not ours, expired, used before or ended; which of these is nobody else's business."""


class ReplayedTokenError(RefusedTokenError):
    """It was used before, so somebody holds a copy of it. `login` is the one that it belongs to."""

    def __init__(self, user: User, login: str) -> None:
        super().__init__()
        self.username = user.get_username()
        self.login = login


class _UsedOrNotToken(RefreshToken):
    def check_blacklist(self) -> None:
        """`_use_up` does, which can tell a token that was used from one that is not ours."""


@dataclass(frozen=True, slots=True)
class Pair:
    access: str
    refresh: str

    @property
    def expires_in(self) -> int:
        """Seconds until the access token does."""
        return int(_lifetime(AccessToken).total_seconds())


def holder_of(raw: str) -> Identity | None:
    """Who holds this access token; None for one that is not valid."""
    try:
        token = _read(AccessToken, raw)
    except RefusedTokenError:
        return None
    account = accounts.active(int(token["user_id"]))
    if account is None or token[_FINGERPRINT] != account.fingerprint or token[_LOGIN] in ended_logins.get():
        return None
    return account.identity


def issue(user: User) -> Pair:
    """The tokens of a new login."""
    OutstandingToken.objects.filter(expires_at__lt=timezone.now()).delete()
    return _pair(user)


def refresh(raw: str) -> Pair:
    """The next pair for a refresh token, which is used up by that. Raises `RefusedTokenError`.

    One that was used before ends its whole login: either the one who used it first or this caller has stolen it.
    https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2
    """
    try:
        return _exchange(raw)
    except ReplayedTokenError as error:
        _end_login(error.login)  # not in the transaction that this error rolls back
        raise


@transaction.atomic
def _exchange(raw: str) -> Pair:
    token = _read(_UsedOrNotToken, raw)
    # From the rows, not from the snapshots, which may lag a second behind a change made by another process.
    user = User.objects.filter(pk=token["user_id"], is_active=True).first()
    if user is None or token[_FINGERPRINT] != accounts.fingerprint(user):
        raise RefusedTokenError
    if EndedLogin.objects.filter(login=token[_LOGIN]).exists():
        raise RefusedTokenError
    if not _use_up(token):
        raise ReplayedTokenError(user, token[_LOGIN])
    return _pair(user, token[_LOGIN])


@transaction.atomic
def end(raw: str) -> str:
    """End the login of a token, refresh or access, with all of its tokens; returns the user's name.

    Raises `RefusedTokenError`.
    """
    try:
        token = _read(RefreshToken, raw)
    except RefusedTokenError:
        token = _read(AccessToken, raw)
    else:
        if not _use_up(token):
            raise RefusedTokenError
    _end_login(token[_LOGIN])
    user = User.objects.filter(pk=token["user_id"]).first()
    return user.get_username() if user else ""


@transaction.atomic
def _end_login(login: str) -> None:
    EndedLogin.objects.filter(expires_at__lt=timezone.now()).delete()
    # Until the last of its tokens expires.
    expires_at = timezone.now() + _lifetime(RefreshToken)
    EndedLogin.objects.get_or_create(login=login, defaults={"expires_at": expires_at})


def _read(kind: type[Token], raw: str) -> Token:
    """Its signature, kind and dates are right, and a refresh token was not used before."""
    # No token of ours is longer; a header nested thousands of levels deep would exhaust the JSON decoder's stack.
    if len(raw) > _MAX_LENGTH or not raw.isascii():
        raise RefusedTokenError
    try:
        token = kind(raw)  # type: ignore[arg-type]  # the stubs want a token object where a text is meant
    except (TokenError, RecursionError):
        raise RefusedTokenError from None
    if _FINGERPRINT not in token or _LOGIN not in token or not str(token.get("user_id")).isdecimal():
        raise RefusedTokenError
    return token


def _pair(user: User, login: str = "") -> Pair:
    token = RefreshToken()
    token["user_id"] = str(user.pk)
    token[_FINGERPRINT] = accounts.fingerprint(user)
    token[_LOGIN] = login or token["jti"]
    # Without the token's text, which simplejwt's own `for_user` would keep: a database must not hold what opens it.
    OutstandingToken.objects.create(
        user=user,
        jti=token["jti"],
        token="",
        created_at=timezone.now(),
        expires_at=datetime_from_epoch(token["exp"]),
    )
    return Pair(str(token.access_token), str(token))


def _use_up(token: Token) -> bool:
    """Of many that try at once, the database's unique constraint lets one through. Returns whether it was this one."""
    outstanding = OutstandingToken.objects.filter(jti=token["jti"]).first()
    if outstanding is None:
        raise RefusedTokenError
    return BlacklistedToken.objects.get_or_create(token=outstanding)[1]


def _lifetime(kind: type[Token]) -> timedelta:
    return kind.lifetime or timedelta()


def _load() -> AbstractSet[str]:
    return frozenset(EndedLogin.objects.filter(expires_at__gte=timezone.now()).values_list("login", flat=True))


ended_logins: Snapshot[AbstractSet[str]] = Snapshot("ended_logins", _load)
