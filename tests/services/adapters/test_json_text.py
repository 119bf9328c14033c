"""JSON that a model writes between code fences comes out without them, whole or in pieces."""

from __future__ import annotations

import pytest

from services.adapters.json_text import Unfenced, unfenced

OBJECT = '{"code": "```py```", "n": 1}'


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"```json\n{OBJECT}\n```",
        f"```\n{OBJECT}\n```\n",
        f"\n\n```JSON\r\n{OBJECT}```  ",
        f"```json {OBJECT}```",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_a_fence_is_taken_off(text: str, size: int) -> None:
    reader = Unfenced()
    pieces = [reader.feed(text[start : start + size]) for start in range(0, len(text), size)]
    assert ("".join(pieces) + reader.rest()).strip() == OBJECT


@pytest.mark.parametrize("text", ["", "No.", "Here: ```json\n{}\n```", '{"a": "``'])
def test_other_answers_stay(text: str) -> None:
    assert unfenced(text) == text


def test_what_cannot_be_a_fence_is_passed_on_at_once() -> None:
    assert Unfenced().feed('{"a":') == '{"a":'
