"""Keeps the figures by period few: minutes are added up by five after two hours, then by the hour and by the day."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from monitoring.models import ALL_TIME, DAY, FINE, HOUR, LatencyCount, Period, Rollup, minute_of
from monitoring.sums import Key, Sums

# A little more than the windows of the statistics, which so never cut through a period.
FIVES_AFTER = timedelta(hours=2)
HOURS_AFTER = timedelta(hours=26)
DAYS_AFTER = timedelta(days=8)


def merge_old() -> None:
    """To be called about once an hour. Sums stay what they are."""
    now = timezone.now()
    for table in (Rollup, LatencyCount):
        _merge(table, minute_of(now - FIVES_AFTER), FINE)
        _merge(table, minute_of(now - HOURS_AFTER), HOUR)
        _merge(table, minute_of(now - DAYS_AFTER), DAY)


def _merge(table: type[Period], before: int, length: int) -> None:
    """Add what ended before that minute up into periods of `length` minutes, each in a transaction of its own."""
    old = table.objects.filter(period__gt=ALL_TIME, period__lt=before // length * length)
    parts = old.annotate(rest=F("period") % length).exclude(rest=0).values_list("period", flat=True).distinct()
    for start in sorted({part // length * length for part in parts}):
        _merge_into(table, start, length)


@transaction.atomic
def _merge_into(table: type[Period], start: int, length: int) -> None:
    sums, width = Sums(len(table.FIGURES)), len(table.FIGURES)
    for row in _take(table, start, start + length):
        sums.add((start, *row[1:-width]), map(int, row[-width:]))
    table.add(sums)


def _take(table: type[Period], after: int, before: int) -> list[Key]:
    """Delete the rows of the periods in between, and return them: key, then figures."""
    # One statement: whatever another process adds or takes at the same time is in exactly one of the two.
    quote = connection.ops.quote_name
    columns = [*table.key_columns(), *table.FIGURES]
    statement = (
        f"DELETE FROM {quote(table._meta.db_table)} WHERE period > %s AND period < %s "  # noqa: S608
        f"RETURNING {', '.join(map(quote, columns))}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [after, before])
        return list(cursor.fetchall())
