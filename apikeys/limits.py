"""How often somebody may call. django-ratelimit counts, in windows whose ends differ from caller to caller."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from django.http import HttpRequest
from django_ratelimit.core import get_usage

from apikeys import policy
from apikeys.addresses import address_of
from apikeys.identity import Identity

OFF = "0"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a window, and when (in seconds since the epoch) the next one begins."""

    limit: int
    count: int
    reset: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.count)

    @property
    def exceeded(self) -> bool:
        return self.count > self.limit

    @property
    def used_up(self) -> bool:
        return self.count >= self.limit

    @property
    def retry_after(self) -> int:
        """Seconds, at least one."""
        return max(1, math.ceil(self.reset - time.time()))


def count(request: HttpRequest, identity: Identity | None, *, increment: bool = True) -> Allowance | None:
    """Count a request; None where its caller has no limit. Who is not known is counted by address."""
    rates = policy.current()
    if identity is None or identity.is_anonymous:
        return usage(request, "anonymous", address_of(request), rates.anonymous_rate, increment=increment)
    who = f"{identity.kind} {identity.name}"
    return usage(request, "authenticated", who, rates.authenticated_rate, increment=increment)


def usage(request: HttpRequest | None, group: str, who: str, rate: str, *, increment: bool) -> Allowance | None:
    """What `who` has used of a rate in a group; None where there is no limit."""
    if rate == OFF:
        return None
    found = get_usage(request, group=group, key=lambda _group, _request: who, rate=rate, increment=increment)
    limit = int(rate.partition("/")[0])
    # Where the counter itself could not be had, django-ratelimit says to limit: with a limit of 0, and a time of -1.
    # That time alone says nothing: so much is left, too, where a window ends while it counts.
    used = found["count"] if found["limit"] else limit + 1
    # Its windows include the second in which they end.
    return Allowance(limit, used, int(time.time()) + max(0, found["time_left"]) + 1)
