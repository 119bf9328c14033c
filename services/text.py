"""Text from outside, made fit to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REPLACED: Mapping[int, Any] = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}


def storable(text: str) -> str:
    """Text that every database takes: PostgreSQL knows no NUL, and UTF-8 no lone surrogate."""
    return text.translate(_REPLACED) if "\x00" in text or not _encodable(text) else text


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
