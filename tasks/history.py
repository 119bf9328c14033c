"""Finding tasks again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from django.db.models import Q
from msgspec import Meta, Struct

from routing.task_types import TaskType
from tasks import presentation
from tasks.body import BodyError, explain
from tasks.models import Status, Task, TaskQuerySet

Date = Annotated[datetime, Meta(tz=True)]


class HistoryQuery(Struct, forbid_unknown_fields=True):
    """The query of `GET /api/tasks/history/`.

    Dates are ISO 8601 with a time zone. `search` looks at prompt and result.
    """

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    status: str | None = None
    service: Annotated[str, Meta(max_length=50)] | None = None
    task_type: TaskType | None = None
    search: Annotated[str, Meta(max_length=200)] | None = None
    created_after: Date | None = None
    created_before: Date | None = None


def decode(parameters: dict[str, str]) -> HistoryQuery:
    """Check query parameters. Raises `BodyError` that names the one at fault."""
    try:
        query = msgspec.convert(parameters, HistoryQuery, strict=False)
    except msgspec.ValidationError as error:
        raise BodyError(explain(str(error))) from None
    if query.status is not None and query.status not in Status.values:
        raise BodyError(f"status: Invalid value {query.status!r}. Use one of {', '.join(Status.values)}.")
    return query


def page(query: HistoryQuery) -> presentation.HistoryPage:
    """One page of the history, newest first, and how many tasks there are in all."""
    found = _filtered(query)
    page = found.in_brief()[query.offset : query.offset + query.limit]
    return {
        "total": found.count(),
        "limit": query.limit,
        "offset": query.offset,
        "tasks": [presentation.summary(task, task.preview) for task in page],
    }


def _filtered(query: HistoryQuery) -> TaskQuerySet:
    conditions = {
        "status": query.status,
        "service_used": query.service,
        "task_type": query.task_type,
        "created_at__gte": query.created_after,
        "created_at__lt": query.created_before,
    }
    found = Task.objects.filter(**{name: value for name, value in conditions.items() if value is not None})
    if query.search:
        found = found.filter(Q(prompt__icontains=query.search) | Q(result__icontains=query.search))
    return found
