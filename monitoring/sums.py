"""Adding figures up: in memory before they go to the database, and there when they are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet, Sum

Key = tuple[int | str, ...]


class Sums(defaultdict[Key, list[int]]):
    """`width` figures for each key."""

    def __init__(self, width: int) -> None:
        super().__init__(lambda: [0] * width)

    def add(self, key: Key, figures: Iterable[int]) -> None:
        self[key] = [old + new for old, new in zip(self[key], figures, strict=True)]


def sums_of(rows: QuerySet[Any], keys: Sequence[str], figures: Sequence[str]) -> Iterator[tuple[Any, dict[str, int]]]:
    """For each combination of keys that occurs, it and the sums of the figures by name."""
    for row in rows.order_by().values_list(*keys).annotate(*(Sum(name) for name in figures)):
        yield row[: len(keys)], dict(zip(figures, row[len(keys) :], strict=True))
