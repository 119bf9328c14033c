"""What is JSON and what is not."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from oxide_project.parsing import MAX_DEPTH, StrictJSONParser


def parsed(content: bytes) -> Any:
    return StrictJSONParser().parse(BytesIO(content))


def refused(content: bytes) -> str:
    with pytest.raises(ParseError) as caught:
        parsed(content)
    return str(caught.value.detail)


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + b"1" + closing * levels


@pytest.mark.parametrize(
    "value",
    [
        {"prompt": "Grüße, 世界 😀 \u202e\u200d", "n": [1, -2.5, 1e3, True, None]},
        {},
        [],
        "text",
        0,
        {"a": {"a": {"a": 1}}, "b": {"a": 1}},
        10**17,
        -(10**17),
    ],
)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parsed(json.dumps(value).encode()) == value
    assert parsed(json.dumps(value, ensure_ascii=False, indent=2).encode()) == value


@pytest.mark.parametrize(
    "content",
    [
        b"", b" ", b"{", b"[1,]", b"{'a': 1}", b"{a: 1}", b'{"a": 1} x', b"[1] [2]", b"tru",
        b"01", b"+1", b".5", b"0x10",
        b'"a\nb"', b'"\\x41"', b'"\\u12"', b"// note\n1", b"prompt=hello",
    ],
)  # fmt: skip
def test_what_is_nearly_json_is_refused(content: bytes) -> None:
    assert refused(content).startswith("The body is not valid JSON: ")


@pytest.mark.parametrize("content", [b"NaN", b"[Infinity]", b'{"a": -Infinity}'])
def test_numbers_that_are_none_are_refused(content: bytes) -> None:
    assert "is no JSON number" in refused(content)


@pytest.mark.parametrize("content", [b"1e999", b"[-1e400]", b"1" * 400 + b".0"])
def test_numbers_beyond_all_bounds_are_refused(content: bytes) -> None:
    assert "a number is too large" in refused(content)


@pytest.mark.parametrize("content", [b"1" * 19, b"-" + b"9" * 31, b'{"a": [' + b"7" * 5000 + b"]}"])
def test_whole_numbers_that_no_database_holds_are_refused(content: bytes) -> None:
    assert "more than 18 digits" in refused(content)


@pytest.mark.parametrize("content", [b'"\xff"', b'{"\xc3(": 1}', b'"\xed\xa0\x80"', b"\xff\xfe{\x00}\x00", b"\xfe\xff"])
def test_what_is_not_utf_8_is_refused(content: bytes) -> None:
    assert "not UTF-8" in refused(content)


def test_utf_16_is_not_guessed() -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        refused('{"prompt": "hello"}'.encode(encoding))


@pytest.mark.parametrize("content", [rb'"\u0000"', rb'["a", {"b": "c\u0000d"}]', rb'{"\u0000": 1}'])
def test_nul_characters_are_refused_in_values_and_in_keys(content: bytes) -> None:
    assert "NUL" in refused(content)


def test_a_raw_nul_byte_is_refused() -> None:
    refused(b'"a\x00b"')


@pytest.mark.parametrize("content", [rb'"\ud800"', rb'["\uDBFF x"]', rb'{"\udc00": 1}', rb'"\ude00\ud83d"'])
def test_halves_of_a_surrogate_pair_are_refused(content: bytes) -> None:
    assert "surrogate" in refused(content)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parsed(rb'"\ud83d\ude00"') == "😀"


def test_a_key_that_stands_twice_is_refused_by_name() -> None:
    assert "the key 'service' stands twice" in refused(b'{"service": "a", "prompt": "x", "service": "b"}')
    refused(rb'{"a": [{"b": 1, "\u0062": 2}]}')


def test_a_hundred_levels_are_enough() -> None:
    assert parsed(nested(MAX_DEPTH))
    assert parsed(nested(MAX_DEPTH, b'{"a":', b"}"))


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 990, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_deeper_nesting_is_refused(levels: int, opening: bytes, closing: bytes) -> None:
    assert "nested deeper than 100 levels" in refused(nested(levels, opening, closing))


def test_brackets_in_a_text_are_no_levels() -> None:
    assert parsed(json.dumps({"prompt": "[{" * 5000}).encode()) == {"prompt": "[{" * 5000}


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":['])
def test_megabytes_of_opening_brackets_are_refused(opening: bytes) -> None:
    assert "nested deeper" in refused(opening * 2_000_000)
