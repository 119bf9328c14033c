"""Keys left out of a text, however it is cut into pieces."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest

from services.adapters.masked_stream import masked
from tests import canary

KEY = canary.provider_key("split")
PLAIN = "rosebud-is-a-sled"
SIZES = range(1, 14)


def said(text: str, size: int, *keys: str) -> str:
    pieces = [text[place : place + size] for place in range(0, len(text), size)]
    return "".join(masked(pieces, keys or (KEY,)))


@pytest.mark.parametrize("size", SIZES)
def test_a_key_in_pieces_of_any_size_is_masked(size: int) -> None:
    assert said(f"The key is {KEY}, and so on.", size) == "The key is [key], and so on."
    assert said(KEY, size) == "[key]"
    assert said(f"It is {PLAIN}.", size, PLAIN) == "It is [key]."


@pytest.mark.parametrize("size", SIZES)
def test_so_is_one_in_base64(size: int) -> None:
    for encode in (b64encode, urlsafe_b64encode):
        written = encode(f"user:{KEY}".encode()).decode()
        shown = said(f"It is {written} here.", size)
        assert "[key]" in shown
        assert len(shown) < len("It is [key] here.") + 16


@pytest.mark.parametrize("size", SIZES)
def test_of_a_part_at_most_a_few_characters_are_left(size: int) -> None:
    middle = KEY[len(KEY) // 2 - 10 : len(KEY) // 2 + 10]
    shown = said(f"It holds {middle} within.", size)
    assert not any(middle[place : place + 8] in shown for place in range(len(middle) - 7))


@pytest.mark.parametrize("size", SIZES)
def test_other_text_is_passed_on_as_it_is(size: int) -> None:
    text = f"{KEY[:4]} {KEY[:6]}x The quick brown fox jumps over the lazy dog. 世界 😀 " * 3
    assert said(text, size) == text


def test_only_what_may_belong_to_a_key_waits() -> None:
    pieces = masked(iter(["Hello ", "world ", KEY[:9], "!"]), [KEY])
    assert [next(pieces), next(pieces)] == ["Hello ", "world "]
