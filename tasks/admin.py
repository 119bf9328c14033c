from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC
from decimal import Decimal
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from services import directory
from services.badges import Tone, badge
from services.prices import CostBasis
from tasks.models import Attempt, Metered, Runner, Status, Task, TaskQuerySet

COUNTED_TASKS = 10_000
SHOWN_CHARACTERS = 20_000
_TONES: dict[str, Tone] = {
    Status.QUEUED: "quiet",
    Status.RUNNING: "busy",
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "quiet",
}


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs, not in Django
    """Counts no further than anybody leafs: an exact count would read the whole table."""

    @cached_property
    def count(self) -> int:
        found: Any = self.object_list
        return int(found.order_by()[:COUNTED_TASKS].count())

    @property
    def is_capped(self) -> bool:
        return self.count == COUNTED_TASKS


class BriefChangeList(ChangeList):
    """A list without the columns that may be megabytes long."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Task]:
        found = cast("TaskQuerySet", super().get_queryset(request, exclude_parameters))
        return found.in_brief()

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count  # or the page would offer to show all of what it shows


class ServiceFilter(admin.SimpleListFilter):
    """By the services there are. The names in the history would take a look at every row."""

    title = "service"
    parameter_name = "service"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(directory.current())]

    def queryset(self, _request: HttpRequest, tasks: QuerySet[Task]) -> QuerySet[Task]:
        return tasks.filter(service_used=self.value()) if self.value() else tasks


class _ReadOnly(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        return False


def _moment(name: str) -> Callable[[Any], str]:
    """How the column `name` is shown: a time to the second, which Django's own format leaves out."""

    @admin.display(description=f"{name.removesuffix('_at')} (UTC)")
    def shown(row: Any) -> str:
        moment = getattr(row, name)
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else "-"

    shown.__name__ = name
    return shown


def _kept(name: str) -> Callable[[Task], str]:
    """How the column `name` is shown: text with its lines, JSON with its structure."""

    @admin.display(description=name.replace("_", " "))
    def shown(task: Task) -> str:
        value = getattr(task, name)
        return _readable(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))

    shown.__name__ = name  # Django takes the column's help text by it
    return shown


def _readable(text: str) -> str:
    if text in ("", "[]", "{}"):
        return "-"
    more = len(text) - SHOWN_CHARACTERS
    rest = f"\n… and {more:,} more characters, which the API has." if more > 0 else ""
    return format_html('<pre class="kept">{}{}</pre>', text[:SHOWN_CHARACTERS], rest)


@admin.display(description="status")
def status(row: Task | Attempt) -> SafeString:
    return badge(_TONES[row.status], row.get_status_display())


@admin.display(description="tokens")
def tokens(row: Metered) -> SafeString:
    return _number(f"{row.total_tokens:,}")


@admin.display(description="cost")
def cost(row: Metered) -> SafeString:
    if not row.cost_basis:
        return _number("-")
    if row.cost is None:
        return _number("unknown")
    if not row.cost:
        return _number("$0")
    about = "about " if row.cost_basis == CostBasis.ESTIMATED else ""
    digits = 6 if row.cost >= Decimal("0.000001") else 9
    return _number(f"{about}${row.cost:.{digits}f}")


@admin.display(description="time")
def time(row: Task | Attempt) -> SafeString:
    seconds = row.execution_time if isinstance(row, Task) else row.latency_ms and row.latency_ms / 1000
    if seconds is None:
        return _number("-")
    return _number(f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms")


@admin.display(description="cancel requested")
def cancel_requested(task: Task) -> str:
    return "yes" if task.cancel_requested else "no"


@admin.display(description="counted by")
def counted_by(task: Task) -> str:
    if not task.cost_basis:
        return "-"
    return "the provider" if task.usage_reported else "Oxide, an estimate"


def _number(text: str) -> SafeString:
    return format_html('<span class="number">{}</span>', text)


class AttemptInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Attempt
    fields: ClassVar[Any] = ["number", "service", "model", "rule", status, "error", tokens, cost, time]
    readonly_fields = fields


@admin.register(Task)
class TaskAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """The history. It is read here; `manage.py prune` deletes what is old."""

    list_display = [
        _moment("created_at"),
        status,
        "task_type",
        "prompt_in_brief",
        "service",
        "model_name",
        tokens,
        cost,
        time,
    ]
    list_filter = ["status", "task_type", ServiceFilter]
    list_per_page = 50
    search_fields = ["prompt"]
    search_help_text = "The id of a task, or words of its prompt."
    sortable_by = []  # by any other column than the time, the database would sort the whole table
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    inlines = [AttemptInline]
    fieldsets: ClassVar[Any] = [  # the stubs know no functions in it
        (
            None,
            {"fields": ["id", status, _moment("created_at"), _moment("started_at"), _moment("completed_at"), time]},
        ),
        (
            "What was asked",
            {
                "fields": [
                    _kept("prompt"),
                    "task_type",
                    "confidence",
                    "client",
                    "requested_service",
                    "requested_model",
                    _kept("messages"),
                    _kept("parameters"),
                ]
            },
        ),
        (
            "What came of it",
            {
                "fields": [
                    _kept("result"),
                    "finish_reason",
                    _kept("tool_calls"),
                    _kept("reasoning"),
                    "error_code",
                    _kept("error_detail"),
                ]
            },
        ),
        ("Who did it", {"fields": ["service_used", "model_used", _kept("decision"), "runner", cancel_requested]}),
        (
            "Tokens and cost",
            {
                "fields": [
                    "prompt_tokens",
                    "completion_tokens",
                    "cached_tokens",
                    "cache_write_tokens",
                    "reasoning_tokens",
                    counted_by,
                    cost,
                    "cost_basis",
                ]
            },
        ),
    ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        return BriefChangeList

    def get_search_results(
        self, request: HttpRequest, tasks: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        try:
            return tasks.filter(pk=uuid.UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, tasks, search_term)

    @admin.display(description="prompt")
    def prompt_in_brief(self, task: Task) -> str:
        return Truncator(" ".join(task.preview.split())).chars(80)

    @admin.display(description="service")
    def service(self, task: Task) -> str:
        return task.service_used or "-"

    @admin.display(description="model")
    def model_name(self, task: Task) -> str:
        return task.model_used or "-"


@admin.register(Runner)
class RunnerAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["__str__", "state", _moment("started_at"), _moment("seen_at")]
    ordering = ["host", "pid"]

    @admin.display(description="state")
    def state(self, runner: Runner) -> SafeString:
        lost = timezone.now() - runner.seen_at > Runner.LOST_AFTER
        return badge("bad", "not heard of any more") if lost else badge("good", "works")
