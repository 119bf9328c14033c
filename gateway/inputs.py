"""What is given as texts or as the model's own tokens, one or several of either: to embed, and to continue."""

from __future__ import annotations

from apikeys.decoding import BodyError
from services.adapters.base import Message, TextPart

MOST_INPUTS = 2048
Given = str | list[str | int | list[int]]
Inputs = tuple[str, ...] | tuple[tuple[int, ...], ...]


def texts_or_tokens(given: Given, name: str, *, may_be_empty: bool = False) -> Inputs:
    """Always several, in their order. `may_be_empty` is about texts. Raises `BodyError` that names the field."""
    items = [given] if isinstance(given, str) else given
    tokens = [item for item in items if isinstance(item, int)]
    if tokens and len(tokens) == len(items):
        return (tuple(tokens),)
    texts = tuple(item for item in items if isinstance(item, str) and (item or may_be_empty))
    lists = tuple(tuple(item) for item in items if isinstance(item, list) and item)
    if not items or len(items) > MOST_INPUTS or len(items) not in (len(texts), len(lists)):
        raise BodyError(f"{name} must be 1 to {MOST_INPUTS} texts, or texts as lists of tokens; none may be empty.")
    return texts or lists


def shown(inputs: Inputs) -> Message:
    """What the history and the classifier see of them."""
    return Message(
        "user", tuple(TextPart(each if isinstance(each, str) else f"[{len(each)} tokens]") for each in inputs)
    )
