"""What an operator must be able to look up later: who logged in, was refused, or changed what, and from where.

One line for each event, on the logger `oxide.security`: `event=login_failed user=ada address=203.0.113.7`. Names come
from callers, so a value that is not plain is written as a JSON string, with everything that could end a line or steer
a terminal escaped. No value is ever a secret.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from django.http import HttpRequest

from apikeys.addresses import exact_address_of
from apikeys.identity import KEPT

logger = logging.getLogger("oxide.security")

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+,-]{1,200}")
_LONGEST = 200
_DELETE = "\x7f"  # the one control character that JSON does not escape


def record(event: str, request: HttpRequest | None = None, **details: object) -> None:
    """`request` tells the address, and who calls where `user` is not among the details."""
    fields: dict[str, object] = {"event": event, "user": details.pop("user", None) or _caller(request)}
    fields["address"] = exact_address_of(request) if request is not None else "local"
    logger.info(" ".join(f"{name}={_written(value)}" for name, value in {**fields, **details}.items()))


def _caller(request: HttpRequest | None) -> str:
    """The name that the gate found, or whoever is logged in to the pages."""
    known: Any = request.META.get(KEPT) if request is not None else None
    if known is not None and not known.is_anonymous:
        return f"key:{known.name}" if known.kind == "key" else str(known.name)
    # Where REST framework has put an identity there, it is an anonymous one.
    name: Any = getattr(getattr(request, "user", None), "get_username", str)
    return name() or "-"


def _written(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else str(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return text if _PLAIN.fullmatch(text) else json.dumps(text).replace(_DELETE, "\\u007f")
