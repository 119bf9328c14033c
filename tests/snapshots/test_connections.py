from __future__ import annotations

import threading

import pytest
from django.db import connection, connections

from snapshots.connections import SharedConnection


@pytest.mark.django_db(transaction=True)
def test_a_shared_connection_is_every_threads_own_while_it_is_lent() -> None:
    shared, seen = SharedConnection(), []
    mine = connections["default"]

    def use() -> None:
        with shared.lent(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            seen.append(connections["default"])

    use()
    other = threading.Thread(target=use)
    other.start()
    other.join()
    assert connections["default"] is mine
    assert seen[0] is seen[1] is not mine
    with shared.lent():
        connection.close()
