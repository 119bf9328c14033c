"""From a request, or from a bare credential, to an identity."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import CSRFCheck

from apikeys import accounts, client_keys, policy, tokens
from apikeys.identity import ANYBODY, NOBODY, Identity
from apikeys.models import KEY_START

_KEPT = "oxide.caller"  # no header can be called so

# The same for whatever is wrong, so that guessing teaches nothing; but who holds an ownerless key knows it already.
REFUSAL = "Log in at /auth/login, or get a key for programs, and send it as Authorization: Bearer <token or key>."
OWNERLESS = (
    "This key has no owner, because it was made while authentication was off. Ask an administrator to give it one in "
    "the admin pages (Keys for programs), or to make a new key."
)


def identify(credential: str) -> Identity | None:
    """Who holds an access token or a key for programs; None where it is not valid (any more)."""
    if not credential.isascii():
        return None
    if credential.startswith(KEY_START):
        return client_keys.holder_of(credential)
    return tokens.holder_of(credential)


def refusal(credential: str | None) -> str:
    """Why a credential is refused that `identify` finds nobody for, and what to do."""
    is_ownerless = credential is not None and credential.isascii() and client_keys.lacks_owner(credential)
    return OWNERLESS if is_ownerless else REFUSAL


def caller(request: HttpRequest) -> Identity | None:
    """Who calls: `ANYBODY` while identity is off, `NOBODY` without credentials, None with ones that are not valid."""
    if _KEPT not in request.META:
        request.META[_KEPT] = _find(request)
    found: Identity | None = request.META[_KEPT]
    return found


def presented(request: HttpRequest) -> str | None:
    """The credential that a request carries, wherever its client's habits put it."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    # Another scheme may be meant for a proxy before us.
    return request.headers.get("x-api-key") or request.headers.get("api-key")


def _find(request: HttpRequest) -> Identity | None:
    if not policy.current().auth_enabled:
        return ANYBODY
    credential = presented(request)
    if credential is not None:
        return identify(credential)
    return of_session(request) or NOBODY


def of_session(request: HttpRequest) -> Identity | None:
    """Whoever is logged in to the pages. What changes something needs the page's CSRF token, as forms do."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
        return None
    account = accounts.active(request.user.pk)
    return account.identity if account and _passes_csrf(request) else None


def _passes_csrf(request: HttpRequest) -> bool:
    check = CSRFCheck(_never_called)
    check.process_request(request)
    return check.process_view(request, _never_called, (), {}) is None


def _never_called(_request: HttpRequest) -> HttpResponse:
    raise NotImplementedError
