from __future__ import annotations

import pytest
from django.db.models import Model

from tasks.blank import blank
from tasks.models import Attempt, Task


@pytest.mark.parametrize("table", [Task, Attempt])
def test_a_row_has_what_djangos_constructor_gives_it(table: type[Model]) -> None:
    ours, djangos = blank(table), table()
    assert ours.__dict__.keys() == djangos.__dict__.keys()
    assert ours._state.adding
    made = {"_state", "id", "created_at", "started_at"}  # anew for each row
    assert {name: value for name, value in ours.__dict__.items() if name not in made} == {
        name: value for name, value in djangos.__dict__.items() if name not in made
    }


def test_what_is_made_anew_is_no_other_rows() -> None:
    one, other = blank(Task), blank(Task)
    assert one.pk != other.pk
    one.messages.append("mine")
    assert other.messages == []


def test_values_take_the_place_of_defaults() -> None:
    task = blank(Task, prompt="Why?", parameters={"seed": 1})
    assert (task.prompt, task.parameters, task.status) == ("Why?", {"seed": 1}, "queued")


@pytest.mark.django_db
def test_it_can_be_saved_and_found_again() -> None:
    task = blank(Task, prompt="Why?", task_type="general")
    task.save()
    attempt = blank(Attempt, task_id=task.pk, number=1, service="first")
    attempt.save()
    assert Task.objects.get().attempts.get() == attempt
