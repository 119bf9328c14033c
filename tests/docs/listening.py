"""A reader's connection to `/ws`."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from websockets.sync.client import ClientConnection

from tests.docs.likeness import differences

_SECONDS = 15
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def last_id(printed: str) -> str:
    found: list[str] = _ID.findall(printed)
    return found[-1] if found else ""


class Listener:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._heard: list[Any] = []

    def send(self, messages: str, task_id: str) -> None:
        """As they stand on the page; an id there is that of the task last started."""
        for message in parsed(_ID.sub(task_id, messages) if task_id else messages):
            self._socket.send(message if isinstance(message, str) else json.dumps(message))

    def hear(self, messages: str) -> None:
        """Wait for something like each of them, in any order."""
        deadline = time.monotonic() + _SECONDS
        for shown in parsed(messages):
            while not any(_is_like(shown, each) for each in self._heard):
                assert time.monotonic() < deadline, f"Nothing like {shown} was heard, but {self._heard}"
                self._listen(deadline)
        assert not [each for each in self._heard if each["type"] == "error"]

    def _listen(self, deadline: float) -> None:
        try:
            self._heard.append(json.loads(self._socket.recv(max(0.1, deadline - time.monotonic()))))
        except TimeoutError:
            return


def _is_like(shown: Any, came: Any) -> bool:
    return not any(differences(shown, came))


def parsed(messages: str) -> list[Any]:
    """One JSON text after another."""
    found, rest = [], messages.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found
