"""JSON in: strict, so that what is stored and passed on is what every other program would read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

# msgspec stops at Python's recursion limit; far fewer levels are all that any real request has.
MAX_DEPTH = 100


class StrictJSONParser(BaseParser):
    """Refuses what JSON does not allow (NaN, invalid UTF-8) and what no database takes (NUL characters)."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], _media_type: str | None = None, _context: Mapping[str, Any] | None = None
    ) -> Any:
        content = stream.read()
        try:
            data = msgspec.json.decode(content)
        except RecursionError:
            raise ParseError(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from None
        # Only an escape can bring a NUL or a lone surrogate in, and deep nesting takes many brackets:
        # most bodies need no closer look.
        if b"\\u0000" in content or b"\\ud" in content.lower() or content.count(b"[") + content.count(b"{") > MAX_DEPTH:
            _inspect(data, 0)
        return data


def _inspect(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ParseError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str):
        _inspect_text(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _inspect_text(key)
            _inspect(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _inspect(item, depth + 1)


def _inspect_text(text: str) -> None:
    if "\x00" in text:
        raise ParseError("The text holds a NUL character (\\u0000), which cannot be stored. Take it out.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParseError(
            "The text holds half of a surrogate pair (\\ud800 to \\udfff). Send whole characters."
        ) from None
