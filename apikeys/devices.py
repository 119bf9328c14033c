"""Browsers and programs that logged in to an account before: nobody else's failures lock them out of it.

A login that succeeds leaves a signed cookie. Who brings it is counted by that cookie instead of by account and address.
https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
"""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

COOKIE = "oxide_device"
_SALT = "apikeys.devices"
_SECONDS = 180 * 86_400


def remember(response: HttpResponseBase, request: HttpRequest, account: str, path: str = "/") -> None:
    """Note in the answer to a successful login that this device may log in to `account`, a name as it is counted."""
    device = known_device(request, account) or secrets.token_hex(16)
    response.set_signed_cookie(
        COOKIE,
        f"{device}.{_digest(account)}",
        salt=_SALT,
        max_age=_SECONDS,
        path=path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def known_device(request: HttpRequest | None, account: str) -> str:
    """The id of a device that logged in to `account` before; "" for any other."""
    if request is None:
        return ""
    value = request.get_signed_cookie(COOKIE, default=None, salt=_SALT, max_age=_SECONDS)
    device, _, digest = (value or "").partition(".")
    return device if digest == _digest(account) else ""


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode(errors="replace")).hexdigest()
