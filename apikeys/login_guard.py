"""Against guessing passwords, at every door: `/auth/login` and the admin pages both come through this backend.

Ten wrong passwords for one account, or thirty from one address, and the answer is "later" for up to a quarter of an
hour, whether the password is right or not. A name that nobody has is treated in the same way and costs the same work.

An attempt is counted before its password is hashed: of many at once no more are judged than are allowed. One that
succeeds is given back. A device that logged in to the account before has ten attempts of its own, so that nobody can
lock people out for ever by guessing wrong.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from apikeys import hashing, security_log
from apikeys.addresses import address_of
from apikeys.devices import known_device
from apikeys.limits import Allowance, usage

UNKNOWN_ACCOUNT = "unknown-account"
ACCOUNT_RATE = DEVICE_RATE = "10/15m"
ADDRESS_RATE = "30/15m"


class TooManyFailuresError(Exception):
    """`retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many failed logins. Retry after {retry_after} seconds.")
        self.retry_after = retry_after


class TooManyAtOnceError(TooManyFailuresError):
    def __init__(self) -> None:
        super().__init__(hashing.RETRY_SECONDS)
        self.args = (f"Too many logins at the same time. Retry after {self.retry_after} seconds.",)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Attempts that are counted together. Counters only grow, so those that succeeded have one of their own."""

    kind: str
    who: str
    rate: str

    def failures(self, *, attempt: bool) -> Allowance | None:
        """How many failed, or may be about to; with `attempt` this one is among them."""
        tried = usage(None, f"logins of {self.kind}", self.who, self.rate, increment=attempt)
        passed = self.succeeded(increment=False)
        return replace(tried, count=tried.count - passed.count) if tried and passed else tried

    def succeeded(self, *, increment: bool) -> Allowance | None:
        return usage(None, f"good logins of {self.kind}", self.who, self.rate, increment=increment)


class GuardedBackend(ModelBackend):
    """Django's own backend behind the guard. Raises `TooManyFailuresError`."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        if username is None or password is None:
            return None
        buckets = _buckets(request, account_key(username))
        try:
            user = self._judged(request, buckets, username, password)
        except TooManyFailuresError:
            security_log.record("login_refused", request, user=_account_name(username))
            raise
        if user is None:
            name = _account_name(username)
            security_log.record("login_failed", request, user=name)
            _log_lock_out(request, buckets, name)
        return user

    def _judged(
        self, request: HttpRequest | None, buckets: Sequence[_Bucket], username: str, password: str
    ) -> User | None:
        for bucket in buckets:  # nobody waits to be refused
            _require(bucket.failures(attempt=False), used_up=True)
        try:
            with hashing.turn():
                for bucket in buckets:
                    _require(bucket.failures(attempt=True), used_up=False)
                user = super().authenticate(request, username=username, password=password)
                if isinstance(user, User):
                    for bucket in buckets:
                        bucket.succeeded(increment=True)
        except hashing.BusyError:
            raise TooManyAtOnceError from None
        return user if isinstance(user, User) else None


def account_key(username: str) -> str:
    """What is counted as one account: writing its name in another way gives no further attempts."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())
    # Blanks, control characters, and what cannot be seen, such as a zero-width space.
    return "".join(char for char in folded if not char.isspace() and unicodedata.category(char)[0] != "C")


def _buckets(request: HttpRequest | None, account: str) -> tuple[_Bucket, ...]:
    if device := known_device(request, account):
        return (_Bucket("a device", device, DEVICE_RATE),)
    own = _Bucket("an account", account, ACCOUNT_RATE)
    return (own,) if request is None else (own, _Bucket("an address", address_of(request), ADDRESS_RATE))


def _require(failures: Allowance | None, *, used_up: bool) -> None:
    if failures and (failures.used_up if used_up else failures.exceeded):
        raise TooManyFailuresError(failures.retry_after)


def _account_name(username: str) -> str:
    """The name as it is logged. One that no account has may be a password that was typed into the wrong field.

    https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html#data-to-exclude
    """
    known = "\0" not in username and User.objects.filter(username=username).exists()
    return username if known else UNKNOWN_ACCOUNT


def _log_lock_out(request: HttpRequest | None, buckets: Sequence[_Bucket], name: str) -> None:
    for bucket in buckets:
        failures = bucket.failures(attempt=False)
        if failures and failures.used_up:
            how_long = failures.retry_after
            security_log.record("login_locked", request, user=name, locked=bucket.kind, seconds=how_long)
