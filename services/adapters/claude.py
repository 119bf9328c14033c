"""Which generation of Claude takes which settings."""

from __future__ import annotations

import re
from typing import Final

Version = tuple[int, int]

_VERSION: Final = re.compile(r"claude-(?:instant-)?(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?![\d.])")
_ADAPTIVE: Final = (4, 6)
_FIRST_THINKING: Final = (3, 7)


def version(model: str) -> Version | None:
    """As in (4, 5) for claude-sonnet-4-5-20250929; None for models that are not named like Anthropic's."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else None


def takes_effort(model: str) -> bool:
    """https://platform.claude.com/docs/en/build-with-claude/effort: Opus 4.5, and all models since 4.6."""
    found = version(model)
    return found is None or found >= _ADAPTIVE or (found == (4, 5) and "opus" in model)


def thinks_adaptively(model: str) -> bool:
    """https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking"""
    found = version(model)
    return found is not None and found >= _ADAPTIVE


def thinks_by_budget(model: str) -> bool:
    """https://platform.claude.com/docs/en/build-with-claude/extended-thinking"""
    found = version(model)
    if found is None or not _FIRST_THINKING <= found < _ADAPTIVE:
        return False
    return not ("haiku" in model and found < (4, 5))


def takes_sampling(model: str) -> bool:
    """Opus 4.7 and all models since answer 400 to temperature, top_p and top_k:
    https://platform.claude.com/docs/en/about-claude/models/migration-guide
    """
    found = version(model)
    return found is None or found < (4, 7)


def takes_prefill(model: str) -> bool:
    """Whether the last turn may be the assistant's: no longer since 4.6 (the same guide)."""
    found = version(model)
    return found is None or found < _ADAPTIVE


def keeps_schemas(model: str) -> bool:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs"""
    found = version(model)
    return found is None or found >= (4, 5) or (found == (4, 1) and "opus" in model)
