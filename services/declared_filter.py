from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin


class DeclaredFilter(admin.BooleanFieldListFilter):
    """Whether a row stands in the configuration file, in words."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.title = "origin"

    def choices(self, changelist: Any) -> Iterator[Any]:
        words = {"All": "All", "Yes": "Configuration file", "No": "Made here or over the API"}
        for choice in super().choices(changelist):
            yield {**choice, "display": words.get(str(choice["display"]), choice["display"])}
