"""What a client of `/ws` may say."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from monitoring.news import OPEN_TOPICS, Topic

_TOPICS = sorted(OPEN_TOPICS)


class MessageError(Exception):
    """A message that cannot be taken; the text says what to send instead."""


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Auth:
    token: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """`wanted` is False where it is to end."""

    wanted: bool
    topics: frozenset[Topic] = frozenset()
    task_id: str = ""


Message = Ping | Auth | Subscription


def parse(text: str) -> Message:
    """Raises `MessageError`."""
    if text.strip() == "ping":
        return Ping()
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MessageError(f'This is no JSON: {error}. Send an object such as {{"type": "ping"}}.') from None
    if not isinstance(said, dict):
        raise MessageError('Send a JSON object such as {"type": "ping"}.')
    understand = _KINDS.get(said["type"]) if isinstance(said.get("type"), str) else None
    if understand is None:
        raise MessageError(f'"type" must be one of {", ".join(_KINDS)}.')
    return understand(said)


def _ping(_said: dict[str, Any]) -> Ping:
    return Ping()


def _auth(said: dict[str, Any]) -> Auth:
    if not isinstance(said.get("token"), str) or not said["token"]:
        raise MessageError('"token" must be an access token or a key for programs, as a string.')
    return Auth(said["token"])


def _subscribe(said: dict[str, Any]) -> Subscription:
    return _subscription(said, wanted=True)


def _unsubscribe(said: dict[str, Any]) -> Subscription:
    return _subscription(said, wanted=False)


def _subscription(said: dict[str, Any], *, wanted: bool) -> Subscription:
    topics, task_id = said.get("topics", []), said.get("task_id", "")
    if not isinstance(topics, list) or not all(topic in _TOPICS for topic in topics):
        raise MessageError(f'"topics" must be a list of some of: {", ".join(_TOPICS)}.')
    if not topics and not task_id:
        raise MessageError('Name "topics", a "task_id" or both.')
    return Subscription(wanted, frozenset(map(Topic, topics)), _task_id(task_id) if task_id else "")


def _task_id(value: object) -> str:
    try:
        return str(uuid.UUID(value))  # type: ignore[arg-type]  # anything but a string is refused here, too
    except (ValueError, TypeError, AttributeError):
        raise MessageError('"task_id" must be the id of a task, as POST /api/tasks/execute/ answers it.') from None


_KINDS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "ping": _ping,
    "auth": _auth,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
}
