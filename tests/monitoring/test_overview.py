"""What a client of `/ws` is told first; how it is told is in test_ws.py."""

from __future__ import annotations

import pytest
from django.db import connection

from apikeys.identity import Identity, Scope
from monitoring import overview
from tasks.models import Task
from tasks.storing import store
from tests.plans import plans

pytestmark = pytest.mark.django_db

ADA = Identity("ada", "key", frozenset({Scope.EXECUTE}), caller="key:1")


def add(caller: str, status: str = "completed") -> None:
    store([Task(prompt="Fine.", task_type="general", status=status, caller=caller)])


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks how SQLite goes about it")
def test_the_own_open_tasks_are_found_without_reading_the_own_history() -> None:
    add(caller="key:1")
    add(caller="key:1", status="queued")
    add(caller="key:2", status="queued")
    with plans() as found:
        assert len(overview.read(ADA)["tasks"]) == 1
    assert [step for _, step in found] == ["SEARCH tasks_task USING INDEX task_open (status=?)"]
