from __future__ import annotations

from typing import Any

from monitoring.news import Coalescing, News, Topic


def progress(task_id: str, percent: int) -> News:
    return News(Topic.TASKS, task_id, {"task_id": task_id, "progress": percent})


def text(task_id: str, words: str, offset: int = 0) -> News:
    return News(Topic.TEXT, task_id, {"task_id": task_id, "text": words, "offset": offset})


def events(coalescing: Coalescing) -> list[dict[str, Any]]:
    return [dict(news.event) for news in coalescing.take()]


def test_of_several_news_about_one_task_the_latest_is_told() -> None:
    coalescing = Coalescing()
    for news in (progress("a", 0), progress("b", 0), progress("a", 40), progress("a", 100)):
        coalescing.put(news)
    assert events(coalescing) == [{"task_id": "b", "progress": 0}, {"task_id": "a", "progress": 100}]
    assert events(coalescing) == []


def test_text_is_joined_and_comes_before_the_end_of_its_task() -> None:
    coalescing = Coalescing()
    for news in (progress("a", 0), text("a", "Quan", 7), text("a", "tum", 11), progress("a", 100), text("b", "x")):
        coalescing.put(news)
    assert events(coalescing) == [
        {"task_id": "a", "text": "Quantum", "offset": 7},
        {"task_id": "a", "progress": 100},
        {"task_id": "b", "text": "x", "offset": 0},
    ]


def test_text_that_begins_anew_takes_the_place_of_what_was_said() -> None:
    coalescing = Coalescing()
    for news in (text("a", "Wro"), text("a", "ng", 3), text("a", "Right"), text("a", " away", 5)):
        coalescing.put(news)
    assert events(coalescing) == [{"task_id": "a", "text": "Right away", "offset": 0}]


def test_only_the_first_of_a_batch_has_to_wake_anybody() -> None:
    coalescing = Coalescing()
    assert coalescing.put(progress("a", 0))
    assert not coalescing.put(progress("b", 0))
    coalescing.take()
    assert coalescing.put(progress("b", 1))
