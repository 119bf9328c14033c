"""Live events: what they look like, and how a connection is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal, TypedDict, cast

from oxide_client.answers import Metrics
from oxide_client.calls import USER_AGENT
from oxide_client.errors import (
    ConnectionFailedError,
    ForbiddenError,
    OxideError,
    UnauthorizedError,
    UnexpectedAnswerError,
    ValidationError,
)
from oxide_client.retries import backoff
from oxide_client.typing_names import NotRequired

Topic = Literal["services", "metrics", "tasks"]
TOPICS: tuple[Topic, ...] = ("metrics", "services", "tasks")

HEARTBEAT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
HEADERS = {"User-Agent": USER_AGENT}
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
# Who comes again with the same would be sent away again: docs/websocket.md names the codes.
_FINAL: dict[int, type[OxideError]] = {
    1003: ValidationError,
    1008: ValidationError,
    1009: ValidationError,
    4400: ValidationError,
    4401: UnauthorizedError,
    4403: ForbiddenError,
}
_MAY_PASS = frozenset({429, 500, 502, 503, 504})


class ServiceState(TypedDict):
    healthy: bool
    enabled: bool


class Estimate(TypedDict):
    """What an open task costs, in US dollars: its prompt, and each token that comes. Only where a price is known."""

    prompt_cost: float
    token_cost: float


class TaskProgressEvent(TypedDict):
    """Where a task stands. `progress` is 0 to 100, and of a running task an estimate; `elapsed` is in seconds.

    `waiting` is true while a running task has no free place at its service.
    """

    type: Literal["task_progress"]
    task_id: str
    status: str
    progress: int
    task_type: str
    service: str
    model: str
    elapsed: float | None
    estimate: NotRequired[Estimate]
    waiting: NotRequired[bool]
    tokens: NotRequired[int]
    cost: NotRequired[float | None]
    error_code: NotRequired[str]
    seq: NotRequired[int]


class Whole(TypedDict):
    """For a key without the scope `read` its own tasks alone: no services, and no metrics."""

    services: dict[str, ServiceState]
    metrics: Metrics | None
    tasks: list[TaskProgressEvent]
    more_tasks: bool


class SnapshotEvent(TypedDict):
    """How everything stands: first, after each new connection, and where something may have been missed."""

    type: Literal["snapshot"]
    data: Whole
    seq: int


class ServiceStatusEvent(TypedDict):
    type: Literal["service_status"]
    service: str
    data: ServiceState
    removed: NotRequired[bool]
    seq: int


class MetricsEvent(TypedDict):
    type: Literal["metrics"]
    data: Metrics
    seq: int


class TaskDeltaEvent(TypedDict):
    """A piece of a followed task's answer: `answer = answer[:offset] + text`."""

    type: Literal["task_delta"]
    task_id: str
    text: str
    offset: int
    seq: int


class PongEvent(TypedDict):
    type: Literal["pong"]


class SubscribedEvent(TypedDict):
    """All that this connection hears now. `detail` says which scope is missing for more."""

    type: Literal["subscribed"]
    topics: list[Topic]
    task_ids: list[str]
    detail: NotRequired[str]


class ComplaintEvent(TypedDict):
    """Oxide could not take a message of ours."""

    type: Literal["error"]
    code: str
    detail: str


class ReconnectingEvent(TypedDict):
    """From this client: the connection is gone, or could not be made again. The next try is in `retry_in` seconds."""

    type: Literal["reconnecting"]
    attempt: int
    retry_in: float
    reason: str


class ReconnectedEvent(TypedDict):
    """From this client: it is connected again, and subscribed as before. A snapshot follows."""

    type: Literal["reconnected"]
    attempts: int


LiveEvent = (
    SnapshotEvent
    | ServiceStatusEvent
    | MetricsEvent
    | TaskProgressEvent
    | TaskDeltaEvent
    | PongEvent
    | SubscribedEvent
    | ComplaintEvent
    | ReconnectingEvent
    | ReconnectedEvent
)


def address(base_url: str) -> str:
    return f"ws{base_url.removeprefix('http')}/ws"


def protocols(token: str | None) -> list[str]:
    """The token travels as a subprotocol: it never belongs into an address."""
    return ["oxide", f"bearer.{token}"] if token else ["oxide"]


class Line:
    """One listener's connection as it should be: what is subscribed, how often it failed, what Oxide said last."""

    def __init__(self, topics: Iterable[Topic], task_ids: Iterable[str]) -> None:
        self._topics = set(topics)
        self._task_ids = set(task_ids)
        self._failures = 0
        self._complaint = ""
        if unknown := self._topics - set(TOPICS):
            raise ValueError(f"Unknown topics {sorted(unknown)}: there are {', '.join(TOPICS)}.")

    def greeting(self) -> list[str]:
        """The messages with which a new connection becomes as it should be."""
        unwanted = sorted(set(TOPICS) - self._topics)
        return [
            *([_message("unsubscribe", topics=unwanted)] if unwanted else []),
            *(_message("subscribe", task_id=task_id) for task_id in sorted(self._task_ids)),
        ]

    def subscribe(self, topics: Iterable[Topic], task_id: str | None) -> str:
        topics = list(topics)
        self._topics |= set(topics)
        self._task_ids |= {task_id} if task_id else set()
        return _message("subscribe", **_named(topics, task_id))

    def unsubscribe(self, topics: Iterable[Topic], task_id: str | None) -> str:
        topics = list(topics)
        self._topics -= set(topics)
        self._task_ids -= {task_id} if task_id else set()
        return _message("unsubscribe", **_named(topics, task_id))

    def read(self, text: str) -> LiveEvent:
        try:
            event = json.loads(text)
        except ValueError:
            event = None
        if not isinstance(event, dict) or "type" not in event:
            raise UnexpectedAnswerError("/ws sent something that is no event. Check base_url, and the proxies between.")
        if event["type"] == "error":
            self._complaint = str(event.get("detail", ""))
        return cast("LiveEvent", event)

    def lost(self, reason: str) -> ReconnectingEvent:
        self._failures += 1
        pause = backoff(self._failures, _FIRST_PAUSE, _LONGEST_PAUSE)
        return {"type": "reconnecting", "attempt": self._failures, "retry_in": round(pause, 2), "reason": reason}

    def found(self) -> ReconnectedEvent:
        return {"type": "reconnected", "attempts": self._failures}

    def settled(self) -> None:
        """A message came: the connection is good."""
        self._failures = 0

    def end_of(self, code: int | None, reason: str) -> OxideError | None:
        """Why a closed connection is not to be made again; None where it is."""
        kind = _FINAL.get(code or 0)
        detail = self._complaint or reason or "no reason given"
        return kind(f"Oxide ended the live events ({code}): {detail}") if kind else None


def refusal(status: int, url: str) -> OxideError:
    """What an HTTP status in place of a WebSocket means. Those that may pass are `ConnectionFailedError`."""
    if status in _MAY_PASS:
        return ConnectionFailedError(f"{url} answered {status}. Oxide is busy or restarts: try again.", status=status)
    failed = f"{url} answered {status} in place of a WebSocket."
    if status == 401:
        return UnauthorizedError(f"{failed} Give a token that the server accepts.", status=status)
    if status == 403:
        return ForbiddenError(f"{failed} Check OXIDE_ALLOWED_HOSTS, and the proxies before Oxide.", status=status)
    return UnexpectedAnswerError(f"{failed} Check base_url, and that proxies pass WebSockets on.", status=status)


def _message(what: str, **fields: Any) -> str:
    return json.dumps({"type": what, **fields})


def _named(topics: list[Topic], task_id: str | None) -> dict[str, Any]:
    named: dict[str, Any] = {}
    if topics:
        named["topics"] = topics
    if task_id:
        named["task_id"] = task_id
    if not named:
        raise ValueError("Name topics, a task_id or both.")
    return named
