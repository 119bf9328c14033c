"""What makes a service's settings usable, wherever they come from: a form, the API or the file.

Each function says what is wrong, worded to follow the name of the field, and what to do about it;
it returns "" where nothing is wrong. Values are not quoted: the very mistake may be a key in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import urlsplit

from apikeys.own_variables import is_own
from services.adapters.registry import ADAPTERS, adapter_class

# Which of the fields about reaching a service belong to which type, and which of them it needs.
TAKEN: Mapping[str, frozenset[str]] = {
    "http": frozenset({"api", "base_url", "api_key_env", "api_key", "headers", "proxy", "ca_file"}),
    "cli": frozenset({"command", "api_key_env", "api_key"}),
    "builtin": frozenset(),
}
_NEEDED: Mapping[str, frozenset[str]] = {
    "http": frozenset({"api", "base_url"}),
    "cli": frozenset({"command"}),
    "builtin": frozenset(),
}
# What a query calls a secret; a whole address is shown, keys are not.
_NAMES_SECRET = re.compile(r"(^|[-_.])(key|sig|code)$|apikey|token|secret|password", re.IGNORECASE)
# PostgreSQL takes no NUL, and UTF-8 no lone surrogate.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def belonging_problem(service_type: str, name: str, *, given: bool) -> str:
    """Whether a service of this type may, or must, have the field `name`."""
    if not given and name in _NEEDED[service_type]:
        return f"is missing: a service of type {service_type} needs it"
    if given and name not in TAKEN[service_type]:
        return f"does not belong to a service of type {service_type}: remove it"
    return ""


def base_url_problem(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL: write it like http://localhost:11434"
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", value):
        return "must start with http:// or https:// and name a host"
    if "@" in parts.netloc:
        return "must not hold a user name or password: put the key in an environment variable (api_key_env)"
    if not value.isascii():
        return "must be written in ASCII: an international host name as xn--..., anything else percent-encoded"
    if "#" in value:
        return "must end with its path or query: remove everything from '#' on"
    if any(_NAMES_SECRET.search(pair.partition("=")[0]) for pair in parts.query.split("&")):
        return "must not hold a key in its query: send that in a header (headers, or api_key_env)"
    return ""


def health_path_problem(service_type: str, value: str) -> str:
    if value and service_type != "http":
        return f"does not belong to a service of type {service_type}: remove it"
    return path_problem(value)


def path_problem(value: str) -> str:
    """Of an address below a base URL, or at the root of its server. An empty one is the protocol's own."""
    if value and not re.fullmatch(r"[!-~]+", value):
        return "must be written in ASCII without blanks: percent-encode anything else"
    if re.match(r"//|[A-Za-z][A-Za-z0-9+.-]*://", value):
        return "must be a path on the service's own server, like /health, without scheme and host"
    return "must end before '#'" if "#" in value else ""


def environment_name_problem(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        return "must be the name of an environment variable, like OPENAI_API_KEY, not the key itself"
    if is_own(value):
        return (
            "is a variable of Oxide's own, whose value no provider may see: name the one that holds the provider's key"
        )
    return ""


def program_environment_problem(names: object) -> str:
    """Of the option `env` of a command-line tool."""
    if problem := texts_problem(names):
        return problem
    assert isinstance(names, list)  # noqa: S101 - `texts_problem` has seen to it
    return next((problem for name in names if (problem := environment_name_problem(name))), "")


def origin_of(url: str) -> str:
    """Scheme, host and port of a `base_url`: where its key goes. "" where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else ""


def command_problem(value: object) -> str:
    if not isinstance(value, list) or not value or not isinstance(value[0], str) or not value[0].strip():
        return 'must begin with the program to run, as a list like ["llm", "-m", "{model}"]'
    return texts_problem(value)


def texts_problem(value: object) -> str:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        return "must be a list of texts, none of them empty"
    if any(_UNSTORABLE.search(item) for item in value):
        return "holds a character that cannot be stored: remove it"
    return ""


def options_problem(kind: str, value: object) -> str:
    """`kind` is that of `ServiceConfig`: it tells the adapter, which knows its own options.

    Of an unknown kind nothing can be said: that is the mistake to report.
    """
    if kind not in ADAPTERS:
        return ""
    if not isinstance(value, Mapping):
        return 'must hold names with values, like {"name": "value"}'
    known = adapter_class(kind).OPTIONS
    if unknown := sorted(str(name) for name in value.keys() - known.keys()):
        choice = f"known are {', '.join(sorted(known))}" if known else "there are none"
        return f"{kind} does not know {', '.join(unknown)}: {choice}"
    if unlike := sorted(name for name, option in value.items() if not _is_like(option, known[name])):
        return f"{', '.join(unlike)} must be of the same kind as the default, {known[unlike[0]]!r}"
    path = value.get("key_path")
    if path not in (None, "") and (problem := _key_path_problem(path)):
        return f"key_path {problem}"
    if kind == "cli" and (problem := program_environment_problem(value.get("env", []))):
        return f"env {problem}"
    return ""


def _key_path_problem(path: object) -> str:
    """It stands right behind the host, which an "@" in front would make a user name."""
    if not isinstance(path, str) or not path.startswith("/"):
        return "must be a path that begins with '/', like /key"
    return path_problem(path)


def price_problem(value: object, other: object) -> str:
    """`other` is the second of the two prices: one alone would make the other's tokens free."""
    if value is None and other is not None:
        return "is missing: set both prices, or neither for the price table"
    return "must be at least 0" if isinstance(value, Decimal) and value < 0 else ""


def extra_price_problem(value: object, usual: object) -> str:
    """`usual` is the price of the tokens among which those with a price of their own are."""
    if value is not None and usual is None:
        return "needs the prices of input and output beside it"
    return price_problem(value, None)


def _is_like(value: object, default: object) -> bool:
    """Whether an option's value is of the kind of its default; without one anything goes."""
    if default is None:
        return True
    if isinstance(default, int | float) and not isinstance(default, bool):
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, type(default))
