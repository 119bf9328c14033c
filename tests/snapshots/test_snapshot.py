from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from snapshots import snapshot
from snapshots.models import Revision
from snapshots.snapshot import Snapshot, follow_all, forget_all, read_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_groups(transactional_db: None) -> None:
    """The groups that stand for roles come with a migration, and only the first test of a process finds them."""
    Group.objects.all().delete()


@pytest.fixture(autouse=True)
def _only_the_snapshots_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_registry", [])


class Rows:
    """Reads the names of all groups, and counts how often."""

    def __init__(self) -> None:
        self.reads = 0
        self.broken = False

    def __call__(self) -> tuple[str, ...]:
        self.reads += 1
        if self.broken:
            raise ConnectionError("the database is away")
        return tuple(Group.objects.order_by("name").values_list("name", flat=True))


@pytest.fixture
def rows() -> Rows:
    return Rows()


def change_elsewhere(name: str, revision: str = "groups") -> None:
    """What another process does: it reloads its own snapshot, not this one's."""
    with transaction.atomic():
        Group.objects.create(name=name)
        Revision.bump(revision)


def test_rows_are_read_once_and_on_first_use(rows: Rows) -> None:
    Group.objects.create(name="a")
    groups = Snapshot("groups", rows)
    assert rows.reads == 0

    assert groups.get() == groups.get() == ("a",)
    assert rows.reads == 1


def test_a_change_is_seen_as_soon_as_it_is_committed(rows: Rows) -> None:
    groups = Snapshot("groups", rows)
    groups.get()

    with transaction.atomic():
        Group.objects.create(name="a")
        groups.changed()
        assert groups.get() == ()

    assert groups.get() == ("a",)


def test_a_change_that_is_rolled_back_is_never_seen(rows: Rows) -> None:
    groups = Snapshot("groups", rows)
    groups.get()

    with transaction.atomic():
        Group.objects.create(name="a")
        groups.changed()
        transaction.set_rollback(True)

    follow_all()
    assert groups.get() == ()
    assert rows.reads == 1


def test_every_change_raises_the_number_of_its_own_snapshot(rows: Rows) -> None:
    Snapshot("groups", rows).changed()
    Snapshot("groups", rows).changed()
    Snapshot("others", rows).changed()

    assert Revision.numbers() == {"groups": 2, "others": 1}


def test_a_change_by_another_process_is_followed(rows: Rows) -> None:
    groups = Snapshot("groups", rows)
    groups.get()
    change_elsewhere("a")
    assert groups.get() == ()

    follow_all()
    assert groups.get() == ("a",)

    change_elsewhere("b")
    follow_all()
    assert groups.get() == ("a", "b")


def test_following_reads_nothing_where_nothing_changed(rows: Rows) -> None:
    groups, unused = Snapshot("groups", rows), Snapshot("unused", rows)
    groups.get()
    groups.changed()
    change_elsewhere("a", "others")
    change_elsewhere("b", "unused")
    before = rows.reads

    follow_all()

    assert rows.reads == before
    assert unused.get() == ("a", "b")


def test_the_last_good_value_serves_while_rows_cannot_be_read(rows: Rows) -> None:
    groups = Snapshot("groups", rows)
    groups.get()
    change_elsewhere("a")

    rows.broken = True
    follow_all()
    assert groups.get() == ()

    rows.broken = False
    follow_all()
    assert groups.get() == ("a",)


def test_a_snapshot_that_cannot_be_read_does_not_hold_up_the_others(rows: Rows) -> None:
    broken, groups = Snapshot("groups", broken_rows := Rows()), Snapshot("groups", rows)
    broken.get()
    groups.get()
    change_elsewhere("a")

    broken_rows.broken = True
    follow_all()

    assert groups.get() == ("a",)


def test_a_reload_that_fails_does_not_fail_the_change_that_was_committed(rows: Rows) -> None:
    groups = Snapshot("groups", rows)
    groups.get()
    rows.broken = True

    with transaction.atomic():
        Group.objects.create(name="a")
        groups.changed()

    rows.broken = False
    follow_all()
    assert groups.get() == ("a",)


def test_without_any_value_the_reason_is_told(rows: Rows) -> None:
    groups = Snapshot("groups", rows)
    rows.broken = True

    with pytest.raises(ConnectionError, match="away"):
        groups.get()

    rows.broken = False
    assert groups.get() == ()


def test_a_change_while_rows_are_read_is_not_missed() -> None:
    def read_while_another_process_writes() -> int:
        number = Group.objects.count()
        if not number:
            change_elsewhere("a")
        return number

    groups = Snapshot("groups", read_while_another_process_writes)
    assert groups.get() == 0

    follow_all()

    assert groups.get() == 1


def test_a_forgotten_value_is_read_anew(rows: Rows) -> None:
    groups = Snapshot("groups", rows)
    groups.get()
    Group.objects.create(name="a")

    forget_all()

    assert groups.get() == ("a",)


def test_threads_that_ask_first_together_read_once() -> None:
    reads = []
    start = threading.Barrier(8, timeout=30)

    def read() -> str:
        reads.append(1)
        return "value"

    value = Snapshot("value", read)

    def get(_: int) -> str:
        try:
            start.wait()
            return value.get()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, range(8))) == ["value"] * 8

    assert len(reads) == 1


def test_asking_does_not_wait_for_a_reload() -> None:
    reading, may_end = threading.Event(), threading.Event()
    may_end.set()

    def read() -> int:
        reading.set()
        assert may_end.wait(30)
        return Group.objects.count()

    count = Snapshot("count", read)
    assert count.get() == 0
    change_elsewhere("a", "count")
    reading.clear()
    may_end.clear()

    def follow() -> None:
        try:
            follow_all()
        finally:
            connection.close()

    watcher = threading.Thread(target=follow)
    watcher.start()
    try:
        assert reading.wait(30)
        assert count.get() == 0
    finally:
        may_end.set()
        watcher.join()
    assert count.get() == 1


def test_whoever_wants_to_know_is_told_what_was_read_and_what_was_before(rows: Rows) -> None:
    told: list[tuple[tuple[str, ...] | None, tuple[str, ...]]] = []
    groups = Snapshot("groups", rows, lambda before, now: told.append((before, now)))
    groups.get()
    change_elsewhere("a")
    follow_all()
    rows.broken = True
    change_elsewhere("b")
    follow_all()
    assert told == [(None, ()), ((), ("a",))]


def test_what_was_read_at_the_start_is_known_whenever_it_is_needed(rows: Rows) -> None:
    Group.objects.create(name="a")
    groups = Snapshot("groups", rows)
    read_all()
    rows.broken = True
    assert groups.get() == ("a",)
    assert rows.reads == 1
