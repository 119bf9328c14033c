"""Keys left out of a text that comes in pieces: one that is split between any number of them is found all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.adapters import quoting

_FEWEST = 4
"""So many characters from the middle of a key may be the beginning of a part that has to be masked."""


def masked(pieces: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    """`[key]` in the place of each of `secrets` and of its parts. Only what may belong to one waits for more."""
    keys = frozenset(secrets)
    spellings = quoting.spellings(keys)
    before = held = ""
    for piece in pieces:
        text = held + piece
        begin = max(0, len(text) - _unfinished(before + text, spellings))
        if begin:
            yield quoting.without(keys, text[:begin])
            before = (before + text[:begin])[1 - _FEWEST :]
        held = text[begin:]
    if held:
        yield quoting.without(keys, held)


def _unfinished(text: str, spellings: Iterable[str]) -> int:
    """How many characters at the end of `text` the next piece may make a key, or a part of one."""
    return max((_overlap(text, spelling) for spelling in spellings), default=0)


def _overlap(text: str, spelling: str) -> int:
    length = _FEWEST
    if len(text) < length or text[-length:] not in spelling:
        return next((few for few in range(length - 1, 0, -1) if text.endswith(spelling[:few])), 0)
    while length < len(text) and text[-length - 1 :] in spelling:
        length += 1
    return length
