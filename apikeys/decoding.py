"""What callers send, checked as it is decoded: bodies and queries, each against the Struct that describes it."""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")

_prepared: set[type] = set()
_preparing = threading.Lock()


class BodyError(ValueError):
    """What is wrong with what was sent, and where."""


def body(data: object, kind: type[T], *, lenient: bool = False) -> T:
    """Check decoded JSON. Raises `BodyError` that names the field.

    With `lenient`, numbers and truth values may be written as strings, which many servers accept.
    """
    if not isinstance(data, dict):
        raise BodyError("Send a JSON object with the fields that the API's documentation (/docs) names.")
    try:
        return _convert(data, kind, strict=True)
    except BodyError as error:
        if not lenient:
            raise
        try:
            return _convert(data, kind, strict=False)
        except BodyError:
            raise error from None


def query(parameters: Mapping[str, str], kind: type[T]) -> T:
    """Check the parameters of an address, which are all text. Raises `BodyError` that names the one at fault."""
    for name, value in parameters.items():
        if "\x00" in value:  # PostgreSQL refuses even to look for it
            raise BodyError(f"{name}: A NUL character (%00) is in nothing that is stored. Take it out.")
    found = _convert(parameters, kind, strict=False)
    for name, value in parameters.items():
        _require_text_of(getattr(found, _attribute(kind, name)), name, value)
    return found


def _attribute(kind: type, parameter: str) -> str:
    """What a parameter is called in the code, where its own name is a word of Python's."""
    return next(each.name for each in msgspec.structs.fields(kind) if each.encode_name == parameter)


def _require_text_of(found: object, name: str, text: str) -> None:
    """Refuse what msgspec reads generously in text: "null" for nothing, and a number for a moment."""
    if found is None:
        raise BodyError(f"{name}: {text!r} is no value that it can have. Leave it out, or send another.")
    if isinstance(found, datetime) and ":" not in text:
        raise BodyError(f"{name}: {text!r} is no date. Write it as in 2026-01-31T12:00:00Z.")


def _convert(data: object, kind: type[T], *, strict: bool) -> T:
    if kind not in _prepared:
        _prepare(kind)
    try:
        return msgspec.convert(data, kind, strict=strict)
    except msgspec.ValidationError as error:
        # msgspec says where in a notation of its own: "… - at `$.messages[0].role`".
        problem, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    known = _choices(_hints(kind).get(field))
    choices = f". Use one of {', '.join(known)}" if known else ""
    raise BodyError(f"{field}: {problem}{choices}." if field else f"{problem}.")


def _prepare(kind: type) -> None:
    """Have msgspec (0.22) look into a Struct and those within it, one thread at a time.

    It does so at the first use, and lets other threads in half way: two first calls at once end the process.
    """
    with _preparing:
        msgspec.json.Decoder(kind)
        _prepared.add(kind)


def _hints(kind: type) -> dict[str, Any]:
    """The type of each field, by the name under which it is sent."""
    hints = get_type_hints(kind)
    return {each.encode_name: hints[each.name] for each in msgspec.structs.fields(kind)}


def _choices(expected: Any) -> list[str]:
    """The values that a field may have, where they can be counted."""
    if get_origin(expected) is Literal:
        return [str(value) for value in get_args(expected)]
    if isinstance(expected, type) and issubclass(expected, enum.Enum):
        return [str(member.value) for member in expected]
    return [choice for part in get_args(expected) for choice in _choices(part)]
