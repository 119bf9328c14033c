"""What an action of the admin pages came to, told of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest

MOST_TOLD = 20
"""So many rows are told of one by one: messages wait for the next page in a cookie or with the session."""


class Outcome(NamedTuple):
    """`level` is one of those of `django.contrib.messages`, `text` a sentence that names the row."""

    level: int
    text: str


def tell(request: HttpRequest, outcomes: Sequence[Outcome]) -> None:
    """What went wrong is told first: of many, the end is only counted."""
    ordered = sorted(outcomes, key=lambda outcome: -outcome.level)
    for outcome in ordered[:MOST_TOLD]:
        messages.add_message(request, outcome.level, outcome.text)
    rest = ordered[MOST_TOLD:]
    if rest:
        well = sum(outcome.level < messages.WARNING for outcome in rest)
        text = f"And {len(rest):,} more, {well:,} of which went well. The list shows how each of them is now."
        messages.add_message(request, rest[0].level, text)
