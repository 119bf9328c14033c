"""Keys left out of a text that comes in pieces: one that is split between two is found all the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from services.adapters import quoting

SHORTEST = 8
"""A shorter key would be found in ordinary words."""


def masked(pieces: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    """`[key]` in the place of each of `secrets`. Only what may be the beginning of one waits for the next piece."""
    keys = {secret for secret in secrets if len(secret) >= SHORTEST}
    spellings = {spelling for key in keys for spelling in (key, json.dumps(key)[1:-1], quote(key, safe=""))}
    held = ""
    for piece in pieces:
        text = quoting.without(keys, held + piece)
        begin = _begin_of_key(text, spellings)
        if begin:
            yield text[:begin]
        held = text[begin:]
    if held:
        yield held


def _begin_of_key(text: str, spellings: Iterable[str]) -> int:
    """Where the end of `text` may be the beginning of a key; its length where it is none."""
    longest = max((_overlap(text, spelling) for spelling in spellings), default=0)
    return len(text) - longest


def _overlap(text: str, spelling: str) -> int:
    """How many characters at the end of `text` are the first ones of `spelling`."""
    most = min(len(text), len(spelling) - 1)
    return next((length for length in range(most, 0, -1) if text.endswith(spelling[:length])), 0)
