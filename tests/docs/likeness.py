"""Whether what a page shows is like what came: words as they are, numbers, moments and ids by their kind,
and money to the last cent.

`…` stands for whatever is left out: text within a text, further items of a list, and as a key further
keys of an object. An object or list without it is shown whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MORE = "…"
# What differs from one run to the next, in the order in which it is looked for.
_KINDS = {
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}": r"[0-9a-f-]{36}",
    r"\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|\+00:00))?": r"\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|\\+00:00))?",
    r"(?<![\w-])\d+(?:\.\d+)?(?:e-?\d+)?": r"\d+(?:\.\d+)?(?:e-?\d+)?",
    MORE: ".*",
}
_KIND = re.compile("|".join(f"({kind})" for kind in _KINDS))


def pattern_of(shown: str) -> re.Pattern[str]:
    parts, end = [], 0
    for found in _KIND.finditer(shown):
        parts += [re.escape(shown[end : found.start()]), list(_KINDS.values())[(found.lastindex or 1) - 1]]
        end = found.end()
    return re.compile("".join([*parts, re.escape(shown[end:])]), re.DOTALL)


def differences(shown: Any, came: Any, place: str = "") -> Iterator[str]:
    if isinstance(shown, dict) and isinstance(came, dict):
        yield from _of_objects(shown, came, place)
    elif isinstance(shown, list) and isinstance(came, list):
        yield from _of_lists(shown, came, place)
    elif not _is_like(shown, came):
        yield f"{place or 'the answer'} is {came!r}, not like {shown!r}"


def _of_objects(shown: dict[str, Any], came: dict[str, Any], place: str) -> Iterator[str]:
    keys = shown.keys() - {MORE}
    yield from (f"{place}.{key} is not there" for key in sorted(keys - came.keys()))
    if MORE not in shown:
        yield from (f"{place}.{key} is not shown" for key in sorted(came.keys() - keys))
    for key in sorted(keys & came.keys()):
        is_money = key == "cost" and isinstance(shown[key], float)
        if is_money and shown[key] != came[key]:
            yield f"{place}.{key} is {came[key]!r}, not {shown[key]!r}"
        yield from differences(shown[key], came[key], f"{place}.{key}")


def _of_lists(shown: list[Any], came: list[Any], place: str) -> Iterator[str]:
    if MORE in shown:
        for item in (item for item in shown if item != MORE):
            if all(any(differences(item, each)) for each in came):
                yield f"{place} holds nothing like {item!r}: {came!r}"
    elif len(shown) != len(came):
        yield f"{place} holds {came!r}, not {len(shown)}"
    else:
        for number, (item, each) in enumerate(zip(shown, came, strict=True)):
            yield from differences(item, each, f"{place}[{number}]")


def _is_like(shown: Any, came: Any) -> bool:
    if isinstance(shown, str) and isinstance(came, str):
        return bool(pattern_of(shown).fullmatch(came))
    if isinstance(shown, bool) or isinstance(came, bool) or None in (shown, came):
        return shown is came
    return isinstance(shown, int | float) and isinstance(came, int | float)
