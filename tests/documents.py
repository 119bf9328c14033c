"""The code blocks of a page, so that tests run what readers will type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PART = re.compile(
    r"^#+ (?P<heading>[^\n]+)$|(?:^<!-- (?P<mark>[^\n]+) -->\n\n?)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    heading: str
    """The one that it stands under."""
    line: int = 0
    mark: str = ""
    """What an HTML comment before it says: readers do not see it, tests do."""


def blocks_of(page: Path, *languages: str) -> list[Block]:
    """In the page's order; of all languages where none is named."""
    found, heading = [], ""
    text = page.read_text()
    for part in _PART.finditer(text):
        if part["heading"]:
            heading = part["heading"]
        elif not languages or part["language"] in languages:
            line = text.count("\n", 0, part.start("language")) + 1
            found.append(Block(part["language"], part["code"], heading, line, part["mark"] or ""))
    return found
