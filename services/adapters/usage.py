"""Reading what a provider says a call used, where the vendors agree.

Each vendor names its counts in its own way: `openai_usage`, `anthropic_usage`, `gemini_usage` and
`ollama_usage` turn one decoded usage object into a `Usage`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from services.adapters.base import Usage

# No call takes more; a count beyond it is nonsense, and no database column would hold some of those.
MOST_TOKENS: Final = 10**12
_MOST_DOLLARS: Final = 1_000_000  # for one call

Raw = Mapping[str, Any]


def count(value: Any) -> int:
    """A whole number, also where it is written as a text or with decimals; else 0.

    An answer that was paid for is not lost over an odd count.
    """
    if type(value) is int:
        return value if 0 < value <= MOST_TOKENS else 0
    if isinstance(value, str):
        value = _number(value)
    if not isinstance(value, float):
        return 0
    return int(value) if math.isfinite(value) and 0 < value <= MOST_TOKENS else 0


def count_in(raw: Any, *path: str) -> int:
    """The count at `path` in nested objects."""
    for name in path:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return count(raw)


def flat(raw: Raw, prefix: str = "") -> dict[str, Any]:
    """Nested objects as one, with dots in its names; without what is null, false, zero or empty."""
    found: dict[str, Any] = {}
    for name, value in raw.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif value:
            found[prefix + name] = value
    return found


def first_count(flattened: Raw, names: Iterable[str]) -> int:
    """The first count above zero among `names`, which different servers use for the same thing."""
    for name in names:
        if name in flattened and (found := count(flattened[name])):
            return found
    return 0


def dollars(value: Any, unit: int = 1) -> Decimal | None:
    """An amount of money, as a number or as a text; None where it is neither, negative or absurd.

    `unit` is how many of what the provider counts make one dollar.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value).strip()) / unit
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= _MOST_DOLLARS else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_whole(raw: Any, read: Callable[[Raw], Usage | None]) -> Usage | None:
    """The usage object of a whole answer, which may be missing or of a wrong type."""
    return read(raw) if isinstance(raw, dict) else None


class UsageMeter:
    """Collects the usage objects of one answer: of a stream there may be several, or one in each event.

    They are running totals, merged field by field: what is missing, null or zero in a later one keeps its
    earlier value. They are read once, when `usage` is asked for. `service_tier` is for vendors that name the
    tier outside of the usage object.
    """

    __slots__ = ("_choices", "_merged", "_read", "_usage", "service_tier")

    def __init__(self, read: Callable[[Raw], Usage | None]) -> None:
        self._read = read
        self._merged: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Usage | None = None
        self.service_tier: Any = None

    def add(self, raw: Any) -> None:
        if isinstance(raw, dict):
            _merge(self._merged, raw)
            self._usage = None

    def add_choice(self, index: int, raw: Any) -> None:
        """The usage of one choice. It counts only where there is none of the whole answer."""
        if isinstance(raw, dict):
            _merge(self._choices.setdefault(index, {}), raw)
            self._usage = None

    @property
    def usage(self) -> Usage | None:
        """None while nothing has been counted."""
        if self._usage is None:
            self._usage = self._read_from(self._merged) or self._read_from(self._of_choices())
        return self._usage

    def _read_from(self, raw: Raw) -> Usage | None:
        tier = {"service_tier": self.service_tier} if self.service_tier else {}
        return self._read({**tier, **raw}) if raw else None

    def _of_choices(self) -> dict[str, Any]:
        """The prompt is the same for all choices, what was written adds up."""
        if len(self._choices) <= 1:
            return next(iter(self._choices.values()), {})
        merged: dict[str, Any] = {}
        for raw in self._choices.values():
            _merge(merged, raw)
        merged.pop("total_tokens", None)
        return merged | {
            "completion_tokens": sum(count(raw.get("completion_tokens")) for raw in self._choices.values()),
        }


def _merge(known: dict[str, Any], news: Raw) -> None:
    for name, value in news.items():
        earlier = known.get(name)
        if isinstance(value, dict):
            inner = dict(earlier) if isinstance(earlier, dict) else {}
            _merge(inner, value)
            known[name] = inner
        elif value or earlier is None:
            known[name] = value
