"""How long a provider asks its clients to wait, where its error body says so."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

# "Please try again in 7m12.5s", "in 20ms": https://platform.openai.com/docs/guides/rate-limits and
# https://console.groq.com/docs/rate-limits
_UNIT: Final = r"(?:ms|milliseconds?|h|hours?|m|min|minutes?|s|secs?|seconds?)(?![a-z])"
_TRY_AGAIN: Final = re.compile(rf"(?:try again|retry|wait)\b.{{0,20}}?((?:\d+(?:\.\d+)?\s?{_UNIT}\s?)+)", re.IGNORECASE)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|milli|h|m|s)", re.IGNORECASE)
_UNITS: Final[Mapping[str, float]] = {"ms": 0.001, "milli": 0.001, "h": 3600, "m": 60, "s": 1}
_FIELDS: Final = ("retry_after", "retry_after_seconds", "retryAfter", "resets_in_seconds")
_DEPTH: Final = 4


def seconds(text: str) -> float | None:
    """A number that can be a duration; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def seconds_in(payload: Any, message: str) -> float | None:
    """The pause that an error's body asks for, or its sentence for people; None where neither does."""
    found = next(_pauses(payload), None)
    return found if found is not None else _in_words(message)


def _in_words(message: str) -> float | None:
    said = _TRY_AGAIN.search(message)
    if not said:
        return None
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in _PART.findall(said[1]))


def _pauses(payload: Any, depth: int = _DEPTH) -> Iterator[float]:
    children = payload if isinstance(payload, list) else []
    if isinstance(payload, dict):
        for name in _FIELDS:
            value = payload.get(name)
            found = seconds(str(value)) if isinstance(value, int | float | str) else None
            if found is not None:
                yield found
        yield from _until(payload.get("X-RateLimit-Reset"))
        children = list(payload.values())
    for child in children if depth else []:
        yield from _pauses(child, depth - 1)


def _until(moment: Any) -> Iterator[float]:
    """OpenRouter quotes the header in the body, in milliseconds since 1970: https://openrouter.ai/docs/api/reference/limits"""
    milliseconds = seconds(moment) if isinstance(moment, str) else None
    if milliseconds is not None and milliseconds > 1e12:
        yield max(0.0, milliseconds / 1000 - time.time())
