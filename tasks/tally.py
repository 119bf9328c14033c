"""Tables of figures that grow by adding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, Self

from django.db import connection, models

from tasks.cursors import driver_cursor, placeholder

_ROWS = 500


class Tally(models.Model):
    """One row of figures for each key, the columns of the primary key.

    Adding is one statement, so that no addition is lost however many processes add at once.
    Figures may shrink, too: what was counted is taken back by adding its negative.
    """

    FIGURES: ClassVar[tuple[str, ...]]

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        abstract = True

    @classmethod
    def add(cls, amounts: Mapping[tuple[str | int, ...], Sequence[int]]) -> None:
        """Add to the figures of each key. Belongs into the transaction that writes what is counted."""
        # Sorted: two processes that add to the same rows in opposite orders would wait for each other for ever.
        rows = sorted((*key, *figures) for key, figures in amounts.items() if any(figures))
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            with driver_cursor() as cursor:
                cursor.execute(_upsert(cls, len(some)), [value for row in some for value in row])

    @classmethod
    def key_columns(cls) -> list[str]:
        return [field.name for field in cls._meta.pk_fields]


@lru_cache(maxsize=1000)
def _upsert(table: type[Tally], rows: int) -> str:
    # Not `bulk_create(update_conflicts=True)`, which can only replace.
    quote = connection.ops.quote_name
    name = quote(table._meta.db_table)
    key = [quote(column) for column in table.key_columns()]
    figures = [quote(figure) for figure in table.FIGURES]
    values = f"({', '.join([placeholder()] * (len(key) + len(figures)))})"
    sums = ", ".join(f"{figure} = {name}.{figure} + EXCLUDED.{figure}" for figure in figures)
    return (
        f"INSERT INTO {name} ({', '.join(key + figures)}) VALUES {', '.join([values] * rows)} "  # noqa: S608
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"
    )
