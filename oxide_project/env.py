"""Reading the environment: a wrong value stops the start with one line that names it."""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import overload

from django.core.exceptions import ImproperlyConfigured

from services.adapters.network import ca_file_problem

SECRET_LENGTH = 32
# Those of our own examples, of Django's new projects, and what people write where a secret is to stand.
_EXAMPLE = re.compile(
    r"change[-_ ]?(me|this|it)|django-insecure|(your|my)[-_ ]secret|replace[-_ ]?(me|this)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a variable may be, and what counts where it is not set, in words."""

    values: str
    default: str


asked: dict[str, Asked] = {}
"""Every variable that was read, for the reference (oxide_project/variables.py)."""


def _ask(name: str, values: str, default: object = "") -> str:
    asked[name] = Asked(values, str(default))
    return os.environ.get(name, "").strip()


def text(name: str, default: str = "") -> str:
    return _ask(name, "text", default) or default


@overload
def boolean(name: str, default: bool) -> bool: ...
@overload
def boolean(name: str, default: None) -> bool | None: ...
def boolean(name: str, default: bool | None) -> bool | None:
    value = _ask(name, "`true` or `false`", "" if default is None else str(default).lower()).lower()
    if not value:
        return default
    if value in ("true", "1", "yes", "on"):
        return True
    if value in ("false", "0", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    value = _ask(name, f"{minimum} to {maximum}", default)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
    if not minimum <= number <= maximum:
        raise ImproperlyConfigured(f"{name} must be between {minimum} and {maximum}, not {number}.")
    return number


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    value = _ask(name, ", ".join(f"`{value}`" for value in allowed), default) or default
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def listing(name: str, default: Sequence[str]) -> list[str]:
    """A comma-separated list."""
    return _items(_ask(name, "texts, with commas", ",".join(default))) or list(default)


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def rate(name: str) -> str:
    """A number of requests in a time, or "" where none is given."""
    value = _ask(name, "such as `100/m`, or `0`")
    if value and not re.fullmatch(r"0|[1-9][0-9]{0,8}/[smhd]", value):
        raise ImproperlyConfigured(
            f"{name} must be a number of requests a second, minute, hour or day, such as 100/m, or 0 for no limit, "
            f"not {value!r}."
        )
    return value


def hosts(name: str) -> list[str]:
    """Host names and addresses, as they stand in a Host header without the port."""
    values = _items(_ask(name, "host names, with commas"))
    for value in values:
        if not re.fullmatch(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]", value):
            raise ImproperlyConfigured(
                f"{name} must hold host names without scheme and port, such as oxide.example.org, not {value!r}."
            )
    return values


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks, such as 10.0.0.0/8."""
    try:
        return [ip_network(value) for value in _items(_ask(name, "addresses and networks, with commas"))]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must hold addresses or networks, such as 10.0.0.0/8: {error}.") from None


def file(name: str, default: Path) -> Path:
    """A path, which need not lead to anything yet."""
    try:
        return Path(_ask(name, "a path", default) or default).expanduser().resolve()
    except RuntimeError as error:  # no such user, or links in a circle
        raise ImproperlyConfigured(f"{name} is no path that can be used: {str(error).rstrip('.')}.") from None


def certificates(name: str) -> str:
    """A file with the certificates (PEM) of authorities; "" for those that come with Oxide."""
    value = _ask(name, "a file in the PEM format")
    if problem := ca_file_problem(value):
        raise ImproperlyConfigured(f"{name} {problem}.")
    return value


def directory(name: str, default: Path) -> Path:
    """A folder that exists and can be written to; made where it is missing."""
    path = file(name, default)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # prompts and answers are nobody else's
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: cannot use the folder {path}: {error.strerror}.") from None
    return path


def secret(name: str, kept_in: Path) -> str:
    """The secret given, or a random one that is made at the first start and kept with mode 0600."""
    value = _ask(name, f"at least {SECRET_LENGTH} characters")
    if value:
        if len(value) < SECRET_LENGTH or len(set(value)) < 8:
            raise ImproperlyConfigured(f"{name} must be at least {SECRET_LENGTH} characters long and not repetitive.")
        if is_example(value):
            raise ImproperlyConfigured(
                f"{name} is an example that everybody can read. Make one of your own: "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        return value
    try:
        return _kept(kept_in)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is not set, and cannot be kept in {kept_in}: {error.strerror}. Set it, or mend the file."
        ) from None


def is_example(secret: str) -> bool:
    """Whether it was copied from an example, as the beginning or another part of its words tells."""
    return bool(_EXAMPLE.search(secret))


def _kept(path: Path) -> str:
    if not path.exists():
        # Written aside and then linked: of several processes that start together one wins, and none
        # ever reads half a secret.
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # made with mode 0600
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave an empty one behind
            with suppress(FileExistsError):
                os.link(file.name, path)
    value = path.read_text(errors="replace").strip()
    if len(value) < SECRET_LENGTH:
        raise OSError(errno.EINVAL, "it holds no secret any more; delete it to have a new one made")
    return value
