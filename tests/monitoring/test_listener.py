from __future__ import annotations

import asyncio

from apikeys.identity import ANYBODY, NOBODY, Identity, Scope
from monitoring.listener import MOST_CHARACTERS, MOST_MESSAGES, Goodbye, Listener
from monitoring.news import News, Topic


class Queue(Listener):
    """A listener that notes how often it was found too slow."""

    def __init__(self) -> None:
        super().__init__(on_overflow=self.note, on_gap=lambda: None)
        self.overflows = 0
        self.identity = ANYBODY

    def note(self) -> None:
        self.overflows += 1

    def drain(self) -> list[str | Goodbye]:
        """Everything that waits now."""
        found: list[str | Goodbye] = []

        async def take_all() -> None:
            while self._queue:
                found.append(await self.take())

        asyncio.run(take_all())
        return found


def test_messages_come_in_their_order() -> None:
    listener = Queue()
    listener.put("a")
    listener.tell("b")
    listener.put("c")
    assert listener.drain() == ["a", "b", "c"]


def test_what_is_older_is_told_before_the_news_that_were_held_for_it() -> None:
    listener = Queue()
    listener.tell("earlier")
    listener.hold()
    listener.tell("news")
    listener.put("pong")
    listener.hold()  # a second reason to hold does not lose what the first one holds
    listener.release("snapshot")
    listener.tell("more news")
    assert listener.drain() == ["earlier", "pong", "snapshot", "news", "more news"]


def test_too_many_messages_end_it_for_good() -> None:
    listener = Queue()
    for number in range(MOST_MESSAGES):
        listener.tell(str(number))
    assert (listener.overflows, listener.is_finished) == (0, False)
    for _ in range(3):
        listener.tell("one too many")
    assert (listener.overflows, listener.is_finished) == (1, True)
    listener.put("late")
    assert listener.drain() == []


def test_too_many_characters_end_it_even_while_news_are_held() -> None:
    listener = Queue()
    listener.hold()
    for _ in range(12):
        listener.tell("x" * (MOST_CHARACTERS // 10))
    assert listener.overflows == 1
    listener.release("snapshot")
    assert listener.drain() == []


def test_one_message_may_be_as_long_as_it_is() -> None:
    listener = Queue()
    listener.put("x" * (MOST_CHARACTERS + 1))
    assert listener.overflows == 0
    assert [len(str(item)) for item in listener.drain()] == [MOST_CHARACTERS + 1]


def test_what_was_taken_no_longer_counts() -> None:
    listener = Queue()
    for _ in range(3):
        for number in range(MOST_MESSAGES):
            listener.tell(str(number))
        assert len(listener.drain()) == MOST_MESSAGES
    assert listener.overflows == 0


def test_nothing_comes_after_the_goodbye() -> None:
    listener = Queue()
    listener.put("a")
    listener.finish(Goodbye(1008, "enough"), "error")
    listener.tell("b")
    listener.finish(Goodbye(1000, "again"))
    assert listener.drain() == ["a", "error", Goodbye(1008, "enough")]


def test_who_sees_its_own_tasks_alone_hears_of_nothing_else() -> None:
    listener = Queue()
    listener.tasks = {"mine", "other", "nobody's"}
    listener.identity = Identity("program", "key", frozenset({Scope.EXECUTE}), caller="key:1")
    told = [
        News(Topic.TASKS, "mine", {}, "key:1"),
        News(Topic.TEXT, "mine", {}, "key:1"),
        News(Topic.TASKS, "other", {}, "user:1"),
        News(Topic.TEXT, "other", {}, "key:11"),
        News(Topic.TEXT, "nobody's", {}),
        News(Topic.METRICS, "", {}),
        News(Topic.SERVICES, "echo", {}),
    ]
    assert [listener.hears(news) for news in told] == [True, True, False, False, False, False, False]
    listener.identity = NOBODY
    assert not any(listener.hears(news) for news in told)


def test_it_hears_its_topics_and_all_about_its_tasks() -> None:
    listener = Queue()
    listener.topics = {Topic.METRICS}
    listener.tasks = {"mine"}
    told = [
        News(Topic.METRICS, "", {}),
        News(Topic.TASKS, "mine", {}),
        News(Topic.TEXT, "mine", {}),
        News(Topic.TASKS, "other", {}),
        News(Topic.TEXT, "other", {}),
        News(Topic.SERVICES, "echo", {}),
    ]
    assert [listener.hears(news) for news in told] == [True, True, True, False, False, False]
