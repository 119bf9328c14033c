"""Server-sent events as a client reads them, strictly: a name, data on one line, a blank line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any


def events(lines: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """Name and data of each event. Comments, which keep a connection alive, are left out."""
    name, data = "", None
    for line in lines:
        if not line:
            if data is not None:
                yield name, data
            name, data = "", None
        elif line.startswith(b"event: "):
            name = line.removeprefix(b"event: ").decode()
        elif line.startswith(b"data: "):
            assert data is None, "data on more than one line"
            text = line.removeprefix(b"data: ")
            data = text.decode() if text == b"[DONE]" else json.loads(text)
        else:
            assert line.startswith(b":"), line
    assert data is None, "the stream ends within an event"
