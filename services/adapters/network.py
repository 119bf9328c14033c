"""How one service is reached over the network: extra headers, a proxy, certificates of its own.

Header values and a proxy's credentials may refer to environment variables, as in `Bearer ${GATEWAY_TOKEN}`. Here is how
such texts are checked, resolved and shown; a resolved value is never shown.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from apikeys import own_variables
from services.adapters.addresses import is_metadata_host

MASK: Final = "***"
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What may be shown of a header's value: a reference alone, or behind the name of a scheme.
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Token|ApiKey) +", re.IGNORECASE)
_SHOWN: Final = re.compile(rf"(?:{_SCHEME.pattern})?{_REFERENCE.pattern}", re.IGNORECASE)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # https://www.rfc-editor.org/rfc/rfc9110#name-tokens
# Those that belong to the connection rather than to the request, and those that libcurl and Oxide write themselves.
_REFUSED_HEADER_NAMES: Final = """
connection content-encoding content-length content-type expect host http2-settings keep-alive proxy-authenticate
proxy-authorization proxy-connection te trailer transfer-encoding upgrade
"""
_REFUSED_HEADERS: Final = frozenset(_REFUSED_HEADER_NAMES.split())
_SCHEMES: Final = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class UnsetError(Exception):
    """An environment variable that a setting refers to is not set."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """`url` is without credentials. Schemes are those of libcurl: https://curl.se/libcurl/c/CURLOPT_PROXY.html"""

    url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Network:
    """What a service's settings come to. `problem` says, worded to follow its name, why it cannot be called.

    `secrets` are what must not be shown of it.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    proxy: Proxy | None = None
    ca_file: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    problem: str = ""


DIRECT: Final = Network()


def resolved(
    headers: Mapping[str, str], proxy: str, ca_file: str, base_url: str, environ: Mapping[str, str]
) -> Network:
    """The settings with the variables that they refer to. What is wrong with them is told in `problem`."""
    if not (headers or proxy or ca_file):
        return DIRECT
    secrets: list[str] = []

    def value_of(name: str) -> str:
        value = environ.get(name, "").strip()
        if not value or own_variables.is_own(name):
            raise UnsetError(name)
        secrets.append(value)
        return value

    try:
        ready = {name: _REFERENCE.sub(lambda found: value_of(found[1]), value) for name, value in headers.items()}
        through = _proxy(proxy, value_of) if proxy else None
    except UnsetError as error:
        return Network(problem=f"needs the environment variable {error}, which is not set. Set it and restart Oxide.")
    except ValueError:
        return Network(problem="has a proxy whose address cannot be read. Write it like http://proxy.example.org:3128.")
    if through and is_metadata_host(urlsplit(base_url).hostname or ""):
        # What a proxy connects to cannot be checked from here.
        return Network(problem="names a cloud metadata service, which is never called. Change its base_url.")
    secrets += [_SCHEME.sub("", value, count=1) for value in ready.values()]
    secrets += [through.username, through.password] if through else []
    return Network(ready, through, ca_file, tuple(filter(None, secrets)))


def variables(headers: Mapping[str, str]) -> frozenset[str]:
    """The environment variables that the values refer to."""
    return frozenset(name for value in headers.values() for name in _REFERENCE.findall(value))


def proxy_credentials(proxy: str) -> tuple[frozenset[str], str]:
    """The environment variables that a proxy's address refers to, and the proxy that gets their values.

    None where the whole address stands in a variable, which so says itself where it goes.
    """
    if not proxy or _REFERENCE.fullmatch(proxy):
        return frozenset(), ""
    scheme, _, rest = proxy.partition("://")
    return frozenset(_REFERENCE.findall(proxy)), f"{scheme}://{rest.rpartition('@')[2]}".lower()


def headers_problem(value: object) -> str:
    """What is wrong with a service's headers, worded to follow the name of the field; "" where nothing is."""
    if not isinstance(value, Mapping):
        return 'must hold names with values, like {"X-Team": "${TEAM_TOKEN}"}'
    return next(filter(None, (_header_problem(name, each) for name, each in value.items())), "")


def proxy_problem(value: str) -> str:
    if problem := _reference_problem(value):
        return problem
    if not value or _REFERENCE.fullmatch(value):
        return ""
    example = "http://proxy.example.org:3128 or socks5://127.0.0.1:1080"
    try:
        parts = urlsplit(_REFERENCE.sub("x", value))
        host, _port = parts.hostname, parts.port
    except ValueError:
        return f"is not a URL: write it like {example}"
    if parts.scheme not in _SCHEMES or not host or not value.isascii() or re.search(r"[\s\x00-\x1f]", value):
        return f"must start with one of {', '.join(_SCHEMES)} and name a host, like {example}"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "must end with its port: remove everything behind it"
    if _password(value) and not _REFERENCE.fullmatch(_password(value)):
        return (
            "must not hold a password: put that in an environment variable, like http://me:${PROXY_PASSWORD}@host:3128"
        )
    return ""


def ca_file_problem(value: str) -> str:
    if not value:
        return ""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(value)
    except ssl.SSLError:
        return "holds no certificate that can be read: it must be a file in the PEM format"
    except (OSError, ValueError):
        return "cannot be read: name a file that Oxide may read, by its whole path"
    return "" if context.cert_store_stats()["x509"] else "holds no certificate: it must be a file in the PEM format"


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers fit to be shown: names, and of values only references to variables."""
    return {name: value if _SHOWN.fullmatch(value) else MASK for name, value in headers.items()}


def shown_proxy(proxy: str) -> str:
    """The proxy without a password, or a user name in its place, unless those are references to variables."""
    userinfo, at, _ = proxy.partition("://")[2].rpartition("@")
    user, _, password = userinfo.partition(":")
    secret = password or user
    if not at or not secret or _REFERENCE.fullmatch(secret):
        return proxy
    shown = f"{user}:{MASK}" if password else userinfo.replace(user, MASK, 1)
    return proxy.replace(f"{userinfo}@", f"{shown}@", 1)


def _header_problem(name: object, value: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "holds a name that no header can have: use letters, digits and '-'"
    if name.lower() in _REFUSED_HEADERS:
        return f"must not hold {name}: that is a header of the connection, which is written for each call"
    if not isinstance(value, str) or not value.strip():
        return f"holds no text for {name}: write one, in quotes, or remove it"
    if not (value.isascii() and value.isprintable()):
        return f"holds a character in {name} that no header may hold: remove it"
    return _reference_problem(value)


def _reference_problem(value: str) -> str:
    if "${" in _REFERENCE.sub("", value):
        return "holds a reference that is none: write it like ${TEAM_TOKEN}"
    own = next((name for name in _REFERENCE.findall(value) if own_variables.is_own(name)), "")
    return f"must not refer to {own}: that variable is Oxide's own; use another one" if own else ""


def _proxy(template: str, value_of: Callable[[str], str]) -> Proxy:
    if whole := _REFERENCE.fullmatch(template):
        template = value_of(whole[1])
    parts = urlsplit(template)
    userinfo, _, address = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    address = "".join(_filled(address, value_of))
    if parts.scheme not in _SCHEMES or not address:
        raise ValueError
    return Proxy(f"{parts.scheme}://{address}", "".join(_filled(user, value_of)), "".join(_filled(password, value_of)))


def _filled(text: str, value_of: Callable[[str], str]) -> Iterator[str]:
    """What stands in the text itself is percent-encoded, as in any URL; what a variable holds is not."""
    done = 0
    for found in _REFERENCE.finditer(text):
        yield unquote(text[done : found.start()])
        yield value_of(found[1])
        done = found.end()
    yield unquote(text[done:])


def _password(proxy: str) -> str:
    userinfo, at, _ = proxy.partition("://")[2].rpartition("@")
    return userinfo.partition(":")[2] if at else ""
