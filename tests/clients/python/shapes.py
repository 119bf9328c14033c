"""Whether an answer is as its type says."""

from __future__ import annotations

import types
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict


def misfits(value: Any, expected: Any, path: str = "answer") -> list[str]:
    """What is wrong. A field that the type does not know is, too: the types are to keep up with Oxide."""
    if is_typeddict(expected):
        return _in_object(value, get_type_hints(expected, include_extras=True), path)
    origin, arguments = get_origin(expected), get_args(expected)
    if expected is Any:
        return []
    if origin in (Union, types.UnionType):
        tried = [misfits(value, each, path) for each in arguments]
        return [] if [] in tried else [f"{path}: {value!r} is none of {expected}"]
    if origin is Literal:
        return [] if value in arguments else [f"{path}: {value!r} is none of {arguments}"]
    if origin is list:
        return [
            each for number, inner in enumerate(value) for each in misfits(inner, arguments[0], f"{path}[{number}]")
        ]
    if origin is dict:
        return [each for name, inner in value.items() for each in misfits(inner, arguments[1], f"{path}.{name}")]
    number = expected is float and isinstance(value, int) and not isinstance(value, bool)
    fits = number or (isinstance(value, expected) and isinstance(value, bool) is (expected is bool))
    return [] if fits else [f"{path}: {value!r} is no {expected.__name__}"]


def _in_object(value: Any, fields: dict[str, Any], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no object"]
    wrong = [f"{path}.{name}: unknown" for name in value.keys() - fields.keys()]
    for name, hint in fields.items():
        is_optional = get_origin(hint) is NotRequired
        if name in value:
            wrong += misfits(value[name], get_args(hint)[0] if is_optional else hint, f"{path}.{name}")
        elif not is_optional:
            wrong.append(f"{path}.{name}: missing")
    return wrong
