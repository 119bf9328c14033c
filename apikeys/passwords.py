"""People change their own password, whatever their role."""

from __future__ import annotations

from django.contrib.auth import HASH_SESSION_KEY, authenticate, update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apikeys import hashing, security_log
from apikeys.login_guard import TooManyAtOnceError


class WrongPasswordError(Exception):
    """The current password is another one."""


def change(request: HttpRequest, user: User, current: str, new: str) -> None:
    """Give a user another password. All tokens and sessions end, but for a session that the request came with.

    Raises `WrongPasswordError`, `TooManyFailuresError` as a login does, and Django's `ValidationError` for a password
    that is too easy to guess.
    """
    if authenticate(request, username=user.get_username(), password=current) != user:
        raise WrongPasswordError("This is not your current password.")
    if new == current:
        raise ValidationError("This is your current password: choose another one.")
    validate_password(new, user)
    try:
        with hashing.turn():
            user.set_password(new)
    except hashing.BusyError:
        raise TooManyAtOnceError from None
    user.save(update_fields=["password"])
    if getattr(request, "session", None) and HASH_SESSION_KEY in request.session:
        update_session_auth_hash(request, user)
    security_log.record("password_changed", request, user=user.get_username())
