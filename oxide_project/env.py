"""Reading the environment: a wrong value stops the start with one line that names it."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def boolean(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in ("true", "1", "yes", "on"):
        return True
    if value in ("false", "0", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    value = text(name)
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
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def listing(name: str, default: Sequence[str]) -> list[str]:
    """A comma-separated list."""
    return [item.strip() for item in text(name).split(",") if item.strip()] or list(default)


def directory(name: str, default: Path) -> Path:
    """A folder that exists and can be written to; made where it is missing."""
    path = Path(text(name, str(default))).expanduser().resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # prompts and answers are nobody else's
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: cannot use the folder {path}: {error.strerror}.") from None
    return path


def secret(name: str, kept_in: Path) -> str:
    """The secret given, or a random one that is made at the first start and kept with mode 0600."""
    value = text(name)
    if value:
        if len(value) < 32 or len(set(value)) < 8:
            raise ImproperlyConfigured(f"{name} must be at least 32 characters long and not repetitive.")
        return value
    if not kept_in.exists():
        # Written aside and then linked: of several processes that start together one wins, and none
        # ever reads half a secret.
        with tempfile.NamedTemporaryFile("w", dir=kept_in.parent) as file:  # made with mode 0600
            file.write(secrets.token_urlsafe(48))
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, kept_in)
    return kept_in.read_text().strip()
