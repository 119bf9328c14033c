"""Where the other APIs live, and which address speaks which dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Dialect = Literal["openai", "anthropic"]

_ENDPOINTS = r"(chat/completions|completions|embeddings|messages|models|responses)"
# Some clients want their base address with /v1 and some without, and some add it all the same.
_LOOSE = re.compile(rf"/(v1/v1/)?(?={_ENDPOINTS}(/|\Z))")


def canonical(path: str) -> str:
    """The address that is meant, where a client was given its base address with or without `/v1`."""
    return _LOOSE.sub("/v1/", path, count=1) if _LOOSE.match(path) else path


def dialect_of(path: str, headers: Mapping[str, str]) -> Dialect | None:
    """In which dialect an address answers; None for those of Oxide's own API."""
    if not re.match(r"/v1(/|\Z)", path):
        return None
    if path.startswith("/v1/messages") or "anthropic-version" in headers:
        return "anthropic"
    return "openai"
