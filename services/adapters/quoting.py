"""Leaving keys out of what a provider says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def without(secrets: Iterable[str], text: str) -> str:
    """`text` with `[key]` in the place of each of these, however JSON or an address may write it."""
    pattern = _pattern(frozenset(secrets) - {""})
    return pattern.sub("[key]", text) if pattern else text


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    # The longest first: one key may be the beginning of another.
    ordered = sorted(secrets, key=len, reverse=True)
    return re.compile("|".join("".join(map(_spellings, secret)) for secret in ordered)) if ordered else None


def _spellings(character: str) -> str:
    """A pattern for a character as it is, after a backslash, as \\u002f and as %2F."""
    if character.isalnum() or not character.isascii():
        return re.escape(character)
    return rf"(?:\\?{re.escape(character)}|\\u00(?i:{ord(character):02x})|%(?i:{ord(character):02x}))"
