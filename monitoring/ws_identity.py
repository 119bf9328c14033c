"""Who opens `/ws`, from where, and whether they may.

A browser sends cookies along with a WebSocket from any page, and asks nobody first: the Origin is the only thing that
tells our pages from others. Programs send none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from apikeys import accounts, credentials, policy
from apikeys.identity import ANYBODY, Identity

PROTOCOL = "oxide"
_BEARER = "bearer."
_CREDENTIALS = frozenset(
    {"token", "access_token", "auth", "authorization", "bearer", "jwt", "key", "api_key", "apikey"}
)
_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a client says of itself before anything is accepted."""

    origin: str | None
    host: str
    cookies: str
    protocols: tuple[str, ...]
    query: str

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Handshake:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        return cls(
            origin=headers.get("origin"),
            host=headers.get("host", ""),
            cookies=headers.get("cookie", ""),
            protocols=tuple(scope.get("subprotocols", ())),
            query=scope.get("query_string", b"").decode("latin-1"),
        )

    @property
    def has_token_in_address(self) -> bool:
        """Addresses end up in the logs of every proxy on the way."""
        names = parse_qs(self.query, keep_blank_values=True)
        return any(name.lower().replace("-", "_") in _CREDENTIALS for name in names)

    @property
    def token(self) -> str | None:
        """From `Sec-WebSocket-Protocol: oxide, bearer.<token>`: a browser can set no other header."""
        found = [name.removeprefix(_BEARER) for name in self.protocols if name.startswith(_BEARER)]
        return found[0] if found else None

    @property
    def is_same_origin(self) -> bool:
        """Whether it is a page of this very address that calls."""
        scheme, netloc = _parts(self.origin or "")
        return bool(scheme) and _address(scheme, netloc) == _address(scheme, self.host)

    @property
    def session_key(self) -> str:
        """Of somebody who is logged in to our pages; "" for other pages, whatever cookies came along."""
        if not self.is_same_origin:
            return ""
        try:
            cookie = SimpleCookie(self.cookies).get(settings.SESSION_COOKIE_NAME)
        except CookieError:
            return ""
        return cookie.value if cookie else ""


def is_welcome(handshake: Handshake) -> bool:
    """Whether Host and Origin are such as may call. May have to read the database."""
    known = policy.current()
    hosts = [host for host in known.allowed_hosts if host != "*"]
    if "*" not in known.allowed_hosts and not _is_host(handshake.host, hosts):
        return False
    # Another port of this host is another program's page: with identity off it would hear everything.
    return handshake.origin is None or handshake.is_same_origin or handshake.origin in known.cors_origins


def check_of(handshake: Handshake) -> Callable[[], Identity | None]:
    """How to learn, now and later again, who it is; None where that is not known, or not any more."""
    if handshake.token is not None:
        return partial(of_token, handshake.token)
    return partial(of_session, handshake.session_key)


def of_token(token: str) -> Identity | None:
    """Who holds an access token or a key for programs."""
    return credentials.identify(token) if policy.current().auth_enabled else ANYBODY


def of_session(session_key: str) -> Identity | None:
    """Who is logged in to our pages with a session."""
    if not policy.current().auth_enabled:
        return ANYBODY
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    account = accounts.active(user.pk) if user.is_authenticated else None
    return account.identity if account else None


def _is_host(netloc: str, allowed: list[str]) -> bool:
    domain, _ = split_domain_port(netloc)
    return bool(domain) and validate_host(domain, allowed)


def _parts(origin: str) -> tuple[str, str]:
    """Scheme and host with port; empty where it is no page's origin, such as `null`."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return "", ""
    return (parts.scheme, parts.netloc) if parts.scheme in _PORTS else ("", "")


def _address(scheme: str, netloc: str) -> tuple[str, str]:
    domain, port = split_domain_port(netloc)
    return domain, port or _PORTS[scheme]
