"""The code blocks of a page, so that tests run what readers will type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PART = re.compile(r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    heading: str
    """The one that it stands under."""


def blocks_of(page: Path, *languages: str) -> list[Block]:
    """In the page's order; of all languages where none is named."""
    found, heading = [], ""
    for part in _PART.finditer(page.read_text()):
        if part["heading"]:
            heading = part["heading"]
        elif not languages or part["language"] in languages:
            found.append(Block(part["language"], part["code"], heading))
    return found
