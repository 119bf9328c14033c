from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from monitoring.merging import merge_old
from monitoring.models import ALL_TIME, DAY, FINE, HOUR, LatencyCount, Rollup, minute_of
from tasks.storing import prune
from tests.monitoring.conftest import Record


def spread(record: Record, *, ago: timedelta, over: timedelta, number: int = 12) -> None:
    start = timezone.now() - ago - over
    for step in range(number):
        record(ended=start + over * step / number)


def periods() -> list[int]:
    return sorted(set(Rollup.objects.exclude(period=ALL_TIME).values_list("period", flat=True)))


def totals() -> tuple[dict[str, int], int]:
    figures = Rollup.objects.exclude(period=ALL_TIME).aggregate(**{name: Sum(name) for name in Rollup.FIGURES})
    latencies = LatencyCount.objects.exclude(period=ALL_TIME).aggregate(Sum("attempts"))
    return figures, latencies["attempts__sum"]


def test_what_is_recent_keeps_its_minute(record: Record) -> None:
    spread(record, ago=timedelta(), over=timedelta(hours=2), number=13)
    before = periods()
    merge_old()
    assert periods() == before
    assert any(period % FINE for period in before)


def test_what_is_older_than_two_hours_is_kept_by_five_minutes_and_sums_stay(record: Record) -> None:
    spread(record, ago=timedelta(hours=3), over=timedelta(hours=1), number=60)
    before = totals()
    merge_old()
    assert totals() == before
    assert all(period % FINE == 0 for period in periods())
    assert any(period % HOUR for period in periods())
    assert len(periods()) in (12, 13)


def test_what_is_older_than_a_day_is_kept_by_the_hour_and_sums_stay(record: Record) -> None:
    spread(record, ago=timedelta(hours=30), over=timedelta(hours=2), number=24)
    before, fine = totals(), len(periods())
    merge_old()
    assert totals() == before
    assert all(period % HOUR == 0 for period in periods())
    assert len(periods()) < fine


def test_what_is_older_than_a_week_is_kept_by_the_day(record: Record) -> None:
    spread(record, ago=timedelta(days=10), over=timedelta(days=2), number=48)
    before, all_time = totals(), Rollup.objects.get(period=ALL_TIME).tasks
    merge_old()
    assert totals() == before
    assert all(period % DAY == 0 for period in periods())
    assert len(periods()) <= 3
    assert Rollup.objects.get(period=ALL_TIME).tasks == all_time == 48


def test_only_what_lies_in_one_whole_hour_or_day_is_added_up(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    moments = {
        "2026-03-09T10:20": "2026-03-09T10:20",  # its hour has only just begun to be old
        "2026-03-09T09:55": "2026-03-09T09:00",
        "2026-03-09T09:00": "2026-03-09T09:00",
        "2026-03-09T08:55": "2026-03-09T08:00",
        "2026-03-02T03:00": "2026-03-02T03:00",  # its day, likewise
        "2026-03-01T23:55": "2026-03-01T00:00",
        "2026-03-01T00:00": "2026-03-01T00:00",
        "2026-02-28T23:00": "2026-02-28T00:00",
    }
    for moment in moments:
        Rollup.add({(minute(moment), "first", "", "chat", "failed", ""): [1] + [0] * 7})
    merge_old()
    found = dict(Rollup.objects.values_list("period", "tasks"))
    assert found == Counter(minute(moment) for moment in moments.values())


def minute(moment: str) -> int:
    return minute_of(datetime.fromisoformat(f"{moment}:00+00:00"))


def test_merging_again_and_late_arrivals_change_no_sum(record: Record) -> None:
    spread(record, ago=timedelta(days=10), over=timedelta(hours=3))
    merge_old()
    spread(record, ago=timedelta(days=10), over=timedelta(hours=3))
    before = totals()
    merge_old()
    merge_old()
    assert totals() == before
    assert before[0]["tasks"] == 24


def test_pruning_the_history_takes_nothing_from_the_figures(record: Record) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    record(ended=long_ago, created_at=long_ago)
    before = totals()
    assert prune(timedelta(days=30)) == 1
    assert totals() == before


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_merge_at_once_while_a_third_counts_lose_nothing() -> None:
    hour = (minute_of(timezone.now() - timedelta(hours=40)) // HOUR) * HOUR
    for step in range(HOUR // FINE):
        Rollup.add({(hour + step * FINE, "first", "", "chat", "failed", ""): [1] + [0] * 7})

    def count() -> None:
        for step in range(24):
            late = hour + step % 12 * FINE
            Rollup.add({(late, "first", "", "chat", "failed", ""): [1] + [0] * 7})
        connection.close()

    def merge() -> None:
        for _ in range(3):
            merge_old()
        connection.close()

    threads = [threading.Thread(target=work) for work in (merge, merge, count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    merge_old()
    assert [(row.period, row.tasks) for row in Rollup.objects.all()] == [(hour, 36)]


def test_the_minute_of_a_moment_is_counted_in_utc() -> None:
    moment = datetime.fromisoformat("1970-01-02T01:30:59+01:00")
    assert minute_of(moment) == 24 * 60 + 30
