"""JSON in: strict, so that what is stored and passed on is what every other program would read."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apikeys.identity import ANYBODY, KEPT
from oxide_project.body_budget import FREE_BYTES
from oxide_project.decompression import decompressed

# Python's decoder stops at its recursion limit; far fewer levels are all that any real request has.
MAX_DEPTH = 100
# What a signed 64-bit number holds for sure: databases and other programs' JSON readers go no further.
MAX_DIGITS = 18


class AnonymousBodyTooBigError(RequestDataTooBig):
    """A caller without valid credentials sent more than `FREE_BYTES`."""


class StrictJSONParser(BaseParser):
    """Refuses what JSON does not allow (NaN, invalid UTF-8), what programs read differently (a key twice,
    endless numbers), and what no database takes (NUL characters).
    """

    media_type = "application/json"

    def parse(self, stream: IO[bytes], _media_type: str | None = None, context: Mapping[str, Any] | None = None) -> Any:
        content = _read(stream, context["request"].META if context and "request" in context else {})
        try:
            data = _decoder.decode(content.decode())
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8 text (byte {error.start}). Send JSON as UTF-8.") from None
        except RecursionError:
            raise _too_deep() from None
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from None
        # Only an escape can bring a NUL or a lone surrogate in, and deep nesting takes many brackets:
        # most bodies need no closer look.
        if b"\\u0000" in content or b"\\ud" in content.lower() or content.count(b"[") + content.count(b"{") > MAX_DEPTH:
            _inspect(data, 0)
        return data


def _read(stream: IO[bytes], headers: Mapping[str, Any]) -> bytes:
    """The body, decompressed. Raises `RequestDataTooBig`.

    Of a caller who is not known only as much as a login needs is read: JSON takes many times its size in memory, and a
    compressed body hides a thousand times as much.
    """
    caller = headers.get(KEPT, ANYBODY)
    is_known = caller is not None and bool(caller.scopes)
    content, encoding = stream.read(), headers.get("HTTP_CONTENT_ENCODING", "")
    if is_known:
        return decompressed(content, encoding, settings.MAX_BODY_BYTES) if encoding else content
    try:
        content = decompressed(content, encoding, FREE_BYTES)
    except RequestDataTooBig:
        raise AnonymousBodyTooBigError from None
    if len(content) > FREE_BYTES:
        raise AnonymousBodyTooBigError
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One program would take the first of two equal keys, another the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"a whole number has more than {MAX_DIGITS} digits")
    return int(digits)


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _inspect(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep()
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


def _too_deep() -> ParseError:
    return ParseError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
