"""Finding tasks again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated

from django.db.models import Q
from msgspec import Meta, Struct

from apikeys.identity import Identity
from routing.task_types import TaskType
from tasks import presentation
from tasks.models import Task, TaskCount, TaskQuerySet

Date = Annotated[datetime, Meta(tz=True)]
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class HistoryFilter(Struct, forbid_unknown_fields=True):
    """Which tasks. Dates are ISO 8601 with a time zone. `search` looks at prompt and result."""

    status: presentation.StatusName | None = None
    service: Annotated[str, Meta(max_length=50)] | None = None
    task_type: TaskType | None = None
    search: Annotated[str, Meta(max_length=200)] | None = None
    created_after: Date | None = None
    created_before: Date | None = None

    def __post_init__(self) -> None:
        for moment in (self.created_after, self.created_before):
            if moment and not 1 < moment.year < 9999:  # the same moment in UTC may lie beyond what a date can be
                raise ValueError("Dates go from the year 2 to the year 9998")


class HistoryQuery(HistoryFilter, forbid_unknown_fields=True):
    """The query of `GET /api/tasks/history/`."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0


def page(query: HistoryQuery, identity: Identity) -> presentation.HistoryPage:
    """One page of the history that `identity` may see, newest first, and how many tasks there are in all."""
    ids, total = _found(query, identity)
    # The rows only now, by their ids: what stands before the page was passed over in the index alone.
    tasks = Task.objects.in_brief().filter(pk__in=ids) if ids else []
    return {
        "total": total,
        "limit": query.limit,
        "offset": query.offset,
        "tasks": [presentation.summary(task, task.preview) for task in tasks],
    }


def _found(query: HistoryQuery, identity: Identity) -> tuple[list[uuid.UUID], int]:
    """The ids of one page, and how many there are in all."""
    ids = filtered(query, identity).values_list("pk", flat=True)
    begin, end = query.offset, query.offset + query.limit
    if query.search or query.created_after or query.created_before or not identity.sees_all_tasks:
        shown = list(ids[begin:end])
        # A page that is not full is the last one, and tells how many there are without another pass.
        is_last = len(shown) < query.limit and (shown or not begin)
        return shown, begin + len(shown) if is_last else ids.count()
    total = _stored(query)
    # Not one more than there are: the database would look for it to the end of the history.
    end = min(end, total)
    return list(ids[begin:end]) if begin < end else [], total


def _stored(query: HistoryFilter) -> int:
    key = {"status": query.status, "service": query.service, "task_type": query.task_type}
    return TaskCount.total(**{name: value for name, value in key.items() if value is not None})


def filtered(query: HistoryFilter, identity: Identity) -> TaskQuerySet:
    conditions = {
        "status": query.status,
        "service_used": query.service,
        "task_type": query.task_type,
        "created_at__gte": query.created_after,
        "created_at__lt": query.created_before,
    }
    found = Task.objects.visible_to(identity).filter(
        **{name: value for name, value in conditions.items() if value is not None}
    )
    if query.search:
        # Without a range of time SQLite would count by the table, and read what the other filters leave out.
        found = found.filter(
            Q(prompt__icontains=query.search) | Q(result__icontains=query.search), created_at__gte=_BEGINNING
        )
    return found
