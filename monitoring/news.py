"""What there is to tell, and to whom it matters."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    SERVICES = "services"
    METRICS = "metrics"
    TASKS = "tasks"
    # What a task's model says: only who names the task hears it.
    TEXT = "text"


OPEN_TOPICS = frozenset({Topic.SERVICES, Topic.METRICS, Topic.TASKS})
"""The topics that a client can subscribe to."""


@dataclass(frozen=True, slots=True)
class News:
    """An event on its way. `subject` is the service or the task that it is about, `caller` whose task that is: where
    it is empty, only who may see everything hears of it.
    """

    topic: Topic
    subject: str
    event: Mapping[str, Any]
    caller: str = ""


class Coalescing:
    """What is to be told until it is told; of several things about one subject only the latest.

    Text is joined and keeps its place, unless it begins anew; everything else is replaced and moves to the end, so that
    the end of a task comes after its last text. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news: dict[tuple[Topic, str], News] = {}

    def put(self, news: News) -> bool:
        """Returns whether it is the first since `take`."""
        key = (news.topic, news.subject)
        with self._lock:
            is_first = not self._news
            earlier = self._news.get(key)
            if earlier and news.topic is Topic.TEXT and news.event["offset"] > earlier.event["offset"]:
                text = earlier.event["text"] + news.event["text"]
                self._news[key] = News(*key, {**earlier.event, "text": text}, news.caller)
            else:
                self._news.pop(key, None)
                self._news[key] = news
        return is_first

    def take(self) -> list[News]:
        with self._lock:
            news, self._news = self._news, {}
        return list(news.values())
