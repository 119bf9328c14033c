from __future__ import annotations

import pytest

from services.pauses import LACKING_SECONDS, LONGEST_SECONDS, Pauses


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pauses(clock: Clock) -> Pauses:
    return Pauses(clock)


def test_a_pause_lasts_as_long_as_was_asked_for(pauses: Pauses, clock: Clock) -> None:
    pauses.pause("a", "m", 20)
    clock.now += 5
    assert pauses.remaining("a", "m") == 15
    clock.now += 15
    assert pauses.remaining("a", "m") == 0
    assert pauses.is_empty


def test_other_models_and_services_go_on(pauses: Pauses) -> None:
    pauses.pause("a", "m", 20)
    assert pauses.remaining("a", "other") == pauses.remaining("b", "m") == 0


def test_no_pause_is_longer_than_an_hour(pauses: Pauses) -> None:
    assert pauses.pause("a", "m", 1e9) == LONGEST_SECONDS


def test_without_a_time_the_pause_is_short_and_grows(pauses: Pauses) -> None:
    assert [pauses.pause("a", "m", None) for _ in range(5)] == [1, 2, 4, 5, 5]
    pauses.note_success("a", "m", "chat")
    assert pauses.remaining("a", "m") == 0
    assert pauses.pause("a", "m", None) == 1


def test_an_operation_that_is_missing_is_remembered_for_a_while(pauses: Pauses, clock: Clock) -> None:
    pauses.note_lacking("a", "", "embeddings")
    assert pauses.lacks("a", "any", "embeddings")
    assert not pauses.lacks("a", "any", "chat")
    assert not pauses.lacks("b", "any", "embeddings")
    clock.now += LACKING_SECONDS
    assert not pauses.lacks("a", "any", "embeddings")


def test_an_operation_that_one_model_lacks_is_left_to_the_others(pauses: Pauses) -> None:
    pauses.note_lacking("a", "m", "chat")
    assert pauses.lacks("a", "m", "chat")
    assert not pauses.lacks("a", "other", "chat")
    pauses.note_success("a", "m", "chat")
    assert not pauses.lacks("a", "m", "chat")


def test_what_holds_is_said_in_words(pauses: Pauses, clock: Clock) -> None:
    pauses.pause("a", "m", 5)
    pauses.note_lacking("a", "", "embeddings")
    assert pauses.described("a") == "limits the rate of requests to m for 5 s more; refused embeddings lately"
    assert pauses.described("b") == ""
    clock.now += 600
    assert pauses.described("a") == ""


def test_a_changed_service_begins_anew(pauses: Pauses) -> None:
    for service in ("a", "b"):
        pauses.pause(service, "m", 20)
        pauses.note_lacking(service, "", "chat")
    pauses.forget("a")
    assert (pauses.remaining("a", "m"), pauses.lacks("a", "m", "chat")) == (0, False)
    assert (pauses.remaining("b", "m"), pauses.lacks("b", "m", "chat")) == (20, True)
