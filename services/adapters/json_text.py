"""JSON asked of a model in words, where its vendor has no setting for it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from services.adapters.base import ChatRequest

_INSTRUCTION: Final = (
    "Answer with one JSON object and nothing else: no text before or after it, and no code fence around it."
)
_FENCE: Final = "```"
_OPENING: Final = re.compile(r"\s*```[a-zA-Z]*[ \t]*\r?\n?")
_MAY_OPEN: Final = re.compile(r"\s*(`{0,2}|```[a-zA-Z]*[ \t]*\r?)")
_CLOSING: Final = re.compile(r"\s*(```)?\s*")


def instruction(request: ChatRequest) -> str:
    """What to tell the model; with the schema where the answer must have a certain shape."""
    if request.json_schema is None:
        return _INSTRUCTION
    schema = msgspec.json.encode(dict(request.json_schema.schema)).decode()
    return f"{_INSTRUCTION} The object must be valid against this JSON Schema:\n{schema}"


class Unfenced:
    """Takes a code fence off an answer that comes in pieces: models set one around JSON in spite of all words."""

    def __init__(self) -> None:
        self._held = ""
        self._has_begun = False
        self._is_fenced = False

    def feed(self, text: str) -> str:
        """What may be shown of the answer so far."""
        self._held += text
        if not self._has_begun:
            if _MAY_OPEN.fullmatch(self._held):
                return ""
            self._has_begun = True
            if opening := _OPENING.match(self._held):
                self._is_fenced = True
                self._held = self._held[opening.end() :]
        if not self._is_fenced:
            return self._take(len(self._held))
        return self._take(len(self._held) - len(_tail(self._held)))

    def rest(self) -> str:
        """What is left at the end of the answer, without the fence that closes it."""
        if self._is_fenced and _CLOSING.fullmatch(self._held):
            return ""
        return self._take(len(self._held))

    def _take(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        return text


def unfenced(text: str) -> str:
    """A whole answer without the code fence around it."""
    reader = Unfenced()
    return reader.feed(text) + reader.rest()


def _tail(text: str) -> str:
    """What may turn out to be the closing fence."""
    stem = text.rstrip()
    stem = stem.removesuffix(_FENCE) if stem.endswith(_FENCE) else stem.rstrip("`")
    return text[len(stem.rstrip()) :]
