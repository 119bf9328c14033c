from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from tasks.models import TaskCount


def numbers() -> dict[str, int]:
    return dict(TaskCount.objects.values_list("service", "number"))


@pytest.mark.django_db
def test_figures_grow_by_what_is_added_and_shrink_by_negatives() -> None:
    TaskCount.add({("failed", "a", "chat"): [2], ("failed", "b", "chat"): [1]})
    TaskCount.add({("failed", "a", "chat"): [3], ("failed", "b", "chat"): [-4], ("failed", "c", "chat"): [0]})
    assert numbers() == {"a": 5, "b": -3}


@pytest.mark.django_db
def test_more_rows_than_one_statement_takes() -> None:
    many: dict[tuple[str | int, ...], list[int]] = {
        ("failed", f"service {number}", "chat"): [number] for number in range(1, 1202)
    }
    TaskCount.add(many)
    TaskCount.add(many)
    assert TaskCount.total() == 1201 * 1202


@pytest.mark.django_db(transaction=True)
def test_additions_at_once_lose_nothing() -> None:
    def add(services: list[str]) -> None:
        for _ in range(20):
            with transaction.atomic():
                TaskCount.add({("failed", service, "chat"): [1] for service in services})
        connection.close()

    threads = [threading.Thread(target=add, args=(order,)) for order in (["a", "b", "c"], ["c", "b", "a"]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers() == {"a": 80, "b": 80, "c": 80}
