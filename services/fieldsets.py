from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any


def without(fieldsets: Iterable[Any], unknown: Container[str]) -> list[Any]:
    """The form of a row that is not there yet: without what is only known of one that is."""
    return [
        (title, {**shown, "fields": [name for name in shown["fields"] if name not in unknown]})
        for title, shown in fieldsets
    ]
