"""How often somebody may call. django-ratelimit counts, in windows whose ends differ from caller to caller."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache

from django.http import HttpRequest
from django_ratelimit.core import get_usage

from apikeys import policy
from apikeys.addresses import address_of
from apikeys.identity import Identity

OFF = "0"
# Coding agents count tokens many times for each request that costs.
FREE_FACTOR = 10


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


def count(
    request: HttpRequest, identity: Identity | None, *, increment: bool = True, is_free: bool = False
) -> Allowance | None:
    """Count a request; None where its caller has no limit. Who is not known is counted by address.

    Free requests have a limit of their own, `FREE_FACTOR` times as high, and do not count towards the other one.
    """
    rates = policy.current()
    if identity is None or identity.is_anonymous:
        group, who, rate = "anonymous", address_of(request), rates.anonymous_rate
    else:
        group, who, rate = "authenticated", f"{identity.kind} {identity.name}", rates.authenticated_rate
    if is_free:
        group, rate = f"{group} free", _times(rate, FREE_FACTOR)
    return usage(request, group, who, rate, increment=increment)


@lru_cache(maxsize=16)
def _times(rate: str, factor: int) -> str:
    number, _, window = rate.partition("/")
    return rate if rate == OFF else f"{int(number) * factor}/{window}"


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
