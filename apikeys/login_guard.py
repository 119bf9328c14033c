"""Against guessing passwords, at every door: `/auth/login` and the admin pages both come through this backend.

Ten wrong passwords for one account, or thirty from one address, and the answer is "later" for up to a quarter of an
hour, whether the password is right or not. A name that nobody has is treated in the same way and costs the same work.
"""

from __future__ import annotations

import threading
import unicodedata
import zlib
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from apikeys.addresses import address_of
from apikeys.limits import Allowance, usage

ACCOUNT_RATE = "10/15m"
ADDRESS_RATE = "30/15m"

# Attempts on one account take turns, so that many at once cannot all be under way before the first is counted.
_turns = tuple(threading.Lock() for _ in range(64))


class TooManyFailuresError(Exception):
    """`retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many failed logins. Retry after {retry_after} seconds.")
        self.retry_after = retry_after


class GuardedBackend(ModelBackend):
    """Django's own backend behind the guard. Raises `TooManyFailuresError`."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        if username is None or password is None:
            return None
        account = account_key(username)
        with _turns[zlib.crc32(account.encode()) % len(_turns)]:
            for allowance in _failures(request, account, increment=False):
                if allowance and allowance.used_up:
                    raise TooManyFailuresError(allowance.retry_after)
            user = super().authenticate(request, username=username, password=password)
            if user is None:
                _failures(request, account, increment=True)
        return user if isinstance(user, User) else None


def account_key(username: str) -> str:
    """What is counted as one account: writing its name in another way gives no further attempts."""
    return "".join(unicodedata.normalize("NFKC", username).casefold().split())


def _failures(request: HttpRequest | None, account: str, *, increment: bool) -> list[Allowance | None]:
    counted = [usage(request, "failed logins of an account", account, ACCOUNT_RATE, increment=increment)]
    if request is not None:
        address = address_of(request)
        counted.append(usage(request, "failed logins from an address", address, ADDRESS_RATE, increment=increment))
    return counted
