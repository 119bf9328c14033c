"""The numbers in a provider's complaint that a prompt is too long: every vendor words it differently."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

_NUMBER: Final = re.compile(r"(?<![\w.])\d[\d,]*(?![\w.]*\d)")
# The number follows the word, as in "maximum context length is 8192" and "the limit of 128000", or precedes it, as in
# "tokens > 200000 maximum".
_MAXIMUM: Final = re.compile(
    r"(?:max\w*|limit|allowed|context (?:length|size|window)|must be <=|must have less than)"
    r"(?:[ _](?:prompt|input|context|tokens?|length|size|window|number|of|is|only|allowed|limit|for|this|the|model))*"
    r"[ :=]*\(?(?P<after>\d[\d,]*)"
    r"|(?P<before>\d[\d,]*)(?: tokens?)? max",
    re.IGNORECASE,
)
# Anthropic counts prompt and answer together: "exceed context limit: 190000 + 20000 > 200000".
_SUM: Final = re.compile(r"(?P<prompt>\d+) \+ (?P<answer>\d+) > (?P<maximum>\d+)")
_DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """Tokens; None where the message names no number.

    `prompt` is the request's size, with the answer that it asks for where the message counts both; `maximum` is the
    model's limit.
    """

    prompt: int | None = None
    maximum: int | None = None


def figures(message: str, payload: Any = None) -> Figures:
    """What a message says, or fields of the body as llama.cpp sends them (`n_prompt_tokens`, `n_ctx`)."""
    found = _fields(payload)
    if total := _SUM.search(message):
        return Figures(_number(total["prompt"]) + _number(total["answer"]), _number(total["maximum"]))
    maximum = found.maximum or _maximum(message)
    return Figures(found.prompt or _prompt(message, maximum), maximum)


def _maximum(message: str) -> int | None:
    match = _MAXIMUM.search(message)
    return _number(match["after"] or match["before"]) if match else None


def _prompt(message: str, maximum: int | None) -> int | None:
    if maximum is None:
        return None
    numbers = (_number(match[0]) for match in _NUMBER.finditer(message))
    return next((number for number in numbers if number > maximum), None)


def _fields(payload: Any, depth: int = _DEPTH) -> Figures:
    if not isinstance(payload, dict):
        return Figures()
    prompt, maximum = payload.get("n_prompt_tokens"), payload.get("n_ctx")
    if isinstance(prompt, int) and isinstance(maximum, int):
        return Figures(prompt, maximum)
    return _fields(payload.get("error"), depth - 1) if depth else Figures()


def _number(text: str) -> int:
    return int(text.replace(",", "")[:12])
