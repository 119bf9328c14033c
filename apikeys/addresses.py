"""Whom an address stands for, where a request may have come through proxies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address


def address_of(request: HttpRequest) -> str:
    """The caller's address as it is counted: an IPv4 address, or a /64 of IPv6, which is what one customer gets.

    Each proxy writes to the right end of X-Forwarded-For whom it was called by. So it is read from there, and only
    as far as declared proxies reach: what stands left of that, the caller may have made up.
    """
    if "HTTP_X_FORWARDED_FOR" not in request.META:
        return _counted_as(request.META.get("REMOTE_ADDR") or "")
    return _counted(_find(request))


def exact_address_of(request: HttpRequest) -> str:
    """The caller's own address, all of it, for the log; "None" where it cannot be told."""
    return str(_find(request))


def _find(request: HttpRequest) -> Address | None:
    found = _parse(request.META.get("REMOTE_ADDR") or "")
    for text in _forwarded(request):
        if found is None or not _is_trusted(found):
            break
        found = _parse(text) or found
        if _parse(text) is None:
            break
    return found


@lru_cache(maxsize=10_000)
def _counted_as(text: str) -> str:
    return _counted(_parse(text))


def _forwarded(request: HttpRequest) -> Iterator[str]:
    yield from reversed([part for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()])


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _parse(text: str) -> Address | None:
    """With or without a port: some proxies write `203.0.113.7:4711` or `[2001:db8::7]:4711`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _counted(address: Address | None) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address.packed, 64), strict=False))
    return str(address)
