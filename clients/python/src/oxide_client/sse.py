"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation"""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a \r at the end may be half of a \r\n
_BOM = b"\xef\xbb\xbf"


class Decoder:
    """Takes bytes as they come, and gives events: name and data."""

    def __init__(self) -> None:
        self._rest = b""
        self._searched = 0
        self._name = ""
        self._data: list[str] = []
        self._is_first = True

    def feed(self, content: bytes) -> list[tuple[str, str]]:
        self._rest += content
        found: list[tuple[str, str]] = []
        start = 0
        # What was looked through before is not looked through again, but for a \r at its end.
        for end in _LINE_END.finditer(self._rest, self._searched):
            event = self._take(self._rest[start : end.start()])
            start = end.end()
            if event:
                found.append(event)
        self._rest = self._rest[start:]
        self._searched = max(0, len(self._rest) - 1)
        return found

    def _take(self, line: bytes) -> tuple[str, str] | None:
        """Note a line; a blank one ends an event."""
        if self._is_first:
            self._is_first, line = False, line.removeprefix(_BOM)
        if not line:
            name, data = self._name, self._data
            self._name, self._data = "", []
            return (name or "message", "\n".join(data)) if data else None
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None
