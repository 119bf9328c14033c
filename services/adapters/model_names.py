"""The names of models in whatever a server answers to "which models are there?".

Servers of one protocol disagree about the shape: `{"data": [...]}`, a bare array, `{"models": [...]}`, arrays of names,
entries without `id`, mappings from name to entry. So one tolerant reading serves all of them.

https://platform.openai.com/docs/api-reference/models/list, https://docs.together.ai/reference/models-1,
https://docs.ollama.com/api/tags
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

# The fields of a body that may hold the list, and of an entry that may hold the name; the first that does counts.
_LISTS: Final = ("data", "models", "result", "results", "items")
_NAMES: Final = ("id", "name", "model", "slug", "key")
# Fields of a body that describe the answer and name no model.
_ABOUT_THE_ANSWER: Final = frozenset({"error", "errors", "detail", "details", "meta", "metadata", "message", "usage"})
# Numbers under which a server keeps a model, beside which its name stands: a UUID (Cloudflare) or a URL (Azure).
_OPAQUE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z]+://.*", re.IGNORECASE)
_DEPTH: Final = 3

Entry = Mapping[str, Any]


def read(content: bytes, *, is_useful: Callable[[Entry], bool] = lambda _: True) -> list[str] | None:
    """The names in their order, each once; None where the answer holds no list of models.

    `is_useful` chooses among entries that are objects. Raises `msgspec.DecodeError` and the like for what is not JSON.
    """
    found = _entries(msgspec.json.decode(content), _DEPTH)
    if found is None:
        return None
    useful = (entry for entry in found if not isinstance(entry, dict) or is_useful(entry))
    return list(dict.fromkeys(filter(None, map(_name, useful))))


def _entries(payload: Any, depth: int) -> list[Any] | None:
    if isinstance(payload, list):
        return payload
    if not isinstance(payload, dict) or not depth:
        return None
    lists = [payload[field] for field in _LISTS if isinstance(payload.get(field), list | dict)]
    if lists:
        found = [entries for each in lists if (entries := _entries(each, depth - 1)) is not None]
        return [entry for entries in found for entry in entries] if found else None
    if any(field in payload for field in _LISTS):  # `{"data": null}`: a list, and nothing in it
        return [] if all(payload[field] is None for field in _LISTS if field in payload) else None
    return _by_name(payload)


def _by_name(payload: Mapping[str, Any]) -> list[Any] | None:
    """A mapping from name to entry as a list of entries."""
    if not payload or not all(isinstance(entry, dict) for entry in payload.values()):
        return None
    if payload.keys() & _ABOUT_THE_ANSWER:
        return None
    return [{**entry, "id": name} for name, entry in payload.items()]


def _name(entry: Any) -> str:
    """ "" where it has none."""
    if isinstance(entry, str):
        return entry.strip()
    names = list(_names(entry)) if isinstance(entry, dict) else []
    readable = (name for name in names if not _OPAQUE.fullmatch(name))
    return next(readable, names[0] if names else "")


def _names(entry: Entry) -> Iterator[str]:
    found: Iterable[Any] = (entry.get(field) for field in _NAMES)
    return (name.strip() for name in found if isinstance(name, str) and name.strip())
