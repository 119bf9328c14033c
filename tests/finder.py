"""Searching for secrets that are drawn by Oxide itself, or by one test."""

from __future__ import annotations

# A preview has seven characters of a key. Whatever holds twenty in a row holds one of the pieces looked for.
PIECE = 10


class Finder:
    """Knows secrets by their pieces, each with the kind of secret that it is a piece of."""

    def __init__(self) -> None:
        self._pieces: dict[bytes, str] = {}

    def learn(self, kind: str, secret: str, *, shown: str = "") -> str:
        """`shown` is the part at the beginning that is no secret."""
        hidden = secret.removeprefix(shown).encode()
        pieces = [hidden[at : at + PIECE] for at in range(0, len(hidden) - PIECE + 1, PIECE)]
        assert pieces, "too short to be looked for"
        self._pieces.update(dict.fromkeys(pieces, kind))
        return secret

    def kinds_in(self, content: bytes) -> set[str]:
        # A copy: other threads learn meanwhile.
        return {kind for piece, kind in tuple(self._pieces.items()) if piece in content}

    def forget(self) -> None:
        self._pieces.clear()
