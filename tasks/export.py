"""The history as a file: `GET /api/tasks/export/`, made piece by piece while it is sent."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from itertools import chain
from typing import Any, Literal

import orjson
from django.db.models import Q
from django.http import StreamingHttpResponse
from django.utils import timezone
from msgspec import field

from apikeys.identity import Identity
from snapshots.connections import release_connection
from tasks.history import HistoryFilter, filtered
from tasks.models import Task
from tasks.presentation import ExportedTask, exported

# So many are in memory at once, each with two texts of at most `EXPORTED_CHARACTERS`.
ROWS = 200
COLUMNS = tuple(ExportedTask.__annotations__)
# A spreadsheet takes a cell that begins with one of these for a formula, and some do what it says; wide forms count
# as well. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Layout = Literal["csv", "json"]
_TYPES: dict[Layout, str] = {"csv": "text/csv; charset=utf-8; header=present", "json": "application/json"}


class ExportQuery(HistoryFilter, forbid_unknown_fields=True):
    """The query of `GET /api/tasks/export/`: the filters of the history, and the form of the file."""

    layout: Layout = field(default="csv", name="as")


def download(query: ExportQuery, identity: Identity, *, with_body: bool = True) -> StreamingHttpResponse:
    """The file as an answer. The first rows are read at once, so that what fails is told as an error."""
    pieces = _pieces(query, identity) if with_body else iter(())
    first = next(pieces, b"")
    response = StreamingHttpResponse(chain((first,), pieces), content_type=_TYPES[query.layout])
    name = f"oxide-tasks-{timezone.now():%Y-%m-%d}.{query.layout}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _pieces(query: ExportQuery, identity: Identity) -> Iterator[bytes]:
    blocks = _blocks(query, identity)
    return _as_csv(blocks) if query.layout == "csv" else _as_json(blocks)


def _blocks(query: ExportQuery, identity: Identity) -> Iterator[list[ExportedTask]]:
    """The tasks, newest first, a few at a time.

    Each block is a query of its own that goes on behind the last row of the one before: whoever reads slowly holds no
    cursor, no connection of the pool, and no old state of the database that could not be cleared away meanwhile.
    """
    found = filtered(query, identity).for_export()
    rest = found
    while True:
        rows = list(rest[:ROWS])
        release_connection()
        yield [exported(row) for row in rows]
        if len(rows) < ROWS:
            return
        rest = found.filter(_is_older(rows[-1]))


def _is_older(last: Task) -> Q:
    # The first condition alone is what an index finds the place by.
    return Q(created_at__lte=last.created_at) & (Q(created_at__lt=last.created_at) | Q(id__lt=last.pk))


def _as_csv(blocks: Iterable[list[ExportedTask]]) -> Iterator[bytes]:
    """As in RFC 4180. https://www.rfc-editor.org/rfc/rfc4180"""
    lines: list[Sequence[Any]] = [COLUMNS]
    for block in blocks:
        lines += [[_cell(value) for value in task.values()] for task in block]
        text = StringIO(newline="")
        csv.writer(text).writerows(lines)
        yield text.getvalue().encode()
        lines = []


def _cell(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULAS) else value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _as_json(blocks: Iterable[list[ExportedTask]]) -> Iterator[bytes]:
    """One task a line, in an object like every other list of the API."""
    before = b'{"tasks": [\n'
    for block in blocks:
        lines = b",\n".join(orjson.dumps(task, option=orjson.OPT_UTC_Z) for task in block)
        if lines:
            yield before + lines
            before = b",\n"
    yield before.removesuffix(b",\n") + b"\n]}\n"
