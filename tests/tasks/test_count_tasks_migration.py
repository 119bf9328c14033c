from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tasks.models import TaskCount


def migrate(name: str | None = None) -> MigrationExecutor:
    executor = MigrationExecutor(connection)
    executor.migrate([("tasks", name)] if name else executor.loader.graph.leaf_nodes())
    return MigrationExecutor(connection)


@pytest.mark.django_db(transaction=True)
def test_what_was_stored_before_is_counted() -> None:
    try:
        executor = migrate("0001_initial")
        task = executor.loader.project_state([("tasks", "0001_initial")]).apps.get_model("tasks", "Task")
        for status, service in (("completed", "first"), ("completed", "first"), ("failed", ""), ("running", "")):
            task.objects.create(status=status, service_used=service, task_type="chat", prompt="Old.")
    finally:
        migrate()
    assert TaskCount.total() == 4
    assert TaskCount.total(status="completed", service="first", task_type="chat") == 2
    assert TaskCount.by_status()["running"] == 1
