from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apikeys.badges import Tone, badge
from services import directory
from services.outcomes import Outcome, tell
from services.prices import CostBasis
from tasks import cancel
from tasks.models import OPEN, Attempt, Metered, Runner, Status, Task, TaskQuerySet, Written
from tasks.recorder import RecorderError

NEWEST = 10_000
"""A list looks at no more of the history."""
MOST_OPEN = 1_000
SHOWN_CHARACTERS = 20_000
_OPEN = "open"
_OPEN_CHOICES = (_OPEN, *OPEN)
_AGES = {"1": "a day", "7": "a week", "30": "a month", "90": "three months"}  # by their days
_TONES: dict[str, Tone] = {
    Status.QUEUED: "quiet",
    Status.RUNNING: "busy",
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "quiet",
}


class BoundedChangeList(ChangeList):
    """The newest tasks, without the columns that may be megabytes long.

    No page reads more of the history than `NEWEST` tasks, whatever is looked for: a rare service or a word that
    nobody wrote would otherwise take the whole table. `is_bounded` tells that there are older ones.
    """

    is_bounded = False

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Task]:
        found = cast("TaskQuerySet", super().get_queryset(request, exclude_parameters)).in_brief()
        if _as_id(self.query) or self.params_of(StatusFilter) in _OPEN_CHOICES:
            return found
        begin = self._begin()
        self.is_bounded = begin is not None
        return found.filter(created_at__gte=begin) if begin else found

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count  # or the page would offer to show all of what it shows

    def params_of(self, kind: type[admin.SimpleListFilter]) -> str | None:
        return next((chosen.value() for chosen in self.filter_specs if isinstance(chosen, kind)), None)

    def _begin(self) -> datetime | None:
        """When the oldest of the tasks that are looked at was created; None where that is all of them."""
        tasks = Task.objects.order_by("-created_at", "-id")
        if self.params_of(StatusFilter) == Status.FAILED:
            tasks = tasks.filter(status=Written(Status.FAILED))  # for which there is an index
        if end := _end(self.params_of(AgeFilter)):
            tasks = tasks.filter(created_at__lt=end)
        return tasks.values_list("created_at", flat=True)[NEWEST : NEWEST + 1].first()


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status__exact"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(_OPEN, "Queued or running"), *Status.choices]

    def queryset(self, _request: HttpRequest, tasks: QuerySet[Task]) -> QuerySet[Task]:
        chosen = self.value()
        if chosen in _OPEN_CHOICES:
            # In the order of their own small index: by time, the database would look for them in the whole table.
            open_ones = Task.objects.open().order_by("status", "runner").values_list("pk", flat=True)
            if chosen != _OPEN:
                open_ones = open_ones.filter(status=chosen)
            return tasks.filter(pk__in=list(open_ones[:MOST_OPEN]))
        return tasks.filter(status=Written(chosen)) if chosen in Status.values else tasks


class AgeFilter(admin.SimpleListFilter):
    """The way to older tasks than the newest."""

    title = "age"
    parameter_name = "older"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(days, f"Older than {name}") for days, name in _AGES.items()]

    def queryset(self, _request: HttpRequest, tasks: QuerySet[Task]) -> QuerySet[Task]:
        end = _end(self.value())
        return tasks.filter(created_at__lt=end) if end else tasks


def _end(days: str | None) -> datetime | None:
    return timezone.now() - timedelta(days=int(days)) if days in _AGES else None


def _as_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


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
    """How the column `name` is shown: that it is of UTC is said once, in its heading."""

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
    shown = badge(_TONES[row.status], row.get_status_display())
    why = row.error_code if isinstance(row, Task) and row.status == Status.FAILED else ""
    return format_html('{}<br><span class="why">{}</span>', shown, why) if why else shown


@admin.display(description="tokens")
def tokens(row: Metered) -> SafeString:
    if not row.total_tokens and not row.cost_basis:
        return _number("-")  # not counted yet, or nobody was asked
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


@admin.display(description="confidence")
def confidence(task: Task) -> SafeString:
    return _number("-" if task.confidence is None else f"{task.confidence * 100:.1f} %")


@admin.display(description="cancel requested")
def cancel_requested(task: Task) -> str:
    return "yes" if task.cancel_requested else "no"


@admin.display(description="counted by")
def counted_by(task: Task) -> str:
    if not task.cost_basis:
        return "-"
    return "the provider" if task.usage_reported else "Oxide, an estimate"


def _cancelled(task: Task) -> Outcome:
    try:
        cancel.cancel(task)
    except cancel.AlreadyEndedError as error:
        return Outcome(messages.WARNING, f"{error} There is nothing left to cancel.")
    except RecorderError:
        return Outcome(messages.ERROR, f"Task {task.pk} could not be cancelled: the database is away. Try again.")
    return Outcome(messages.SUCCESS, f"Task {task.pk} was told to end. It is cancelled within a second or so.")


def _number(text: str) -> SafeString:
    return format_html('<span class="number">{}</span>', text)


class AttemptInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Attempt
    fields: ClassVar[Any] = ["number", "service", "model", "rule", status, "error", tokens, cost, time]
    readonly_fields = fields


@admin.register(Task)
class TaskAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """The history. It is read here; `manage.py prune` deletes what is old."""

    when_empty = "No task has been done yet. The dashboard has one done under Try it."

    list_display = [
        _moment("created_at"),
        status,
        "task_type",
        "prompt_in_brief",
        "answered_by",
        tokens,
        cost,
        time,
    ]
    list_filter = [StatusFilter, "task_type", ServiceFilter, AgeFilter]
    list_per_page = 50
    search_fields = ["prompt"]
    search_help_text = (
        f"The id of a task, however old, or words of its prompt; these among the newest {NEWEST:,} of the age chosen."
    )
    actions = ["cancel_now"]
    sortable_by = []  # by any other column than the time, the database would sort the whole table
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
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
                    confidence,
                    "client",
                    "caller",
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
        return BoundedChangeList

    def get_search_results(
        self, request: HttpRequest, tasks: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        if task_id := _as_id(search_term):
            return tasks.filter(pk=task_id), False
        return super().get_search_results(request, tasks, search_term)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tasks.change_task")

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel_now(self, request: HttpRequest, chosen: QuerySet[Task]) -> None:
        tell(request, [_cancelled(task) for task in chosen])

    @admin.display(description="prompt")
    def prompt_in_brief(self, task: Task) -> str:
        return Truncator(" ".join(task.preview.split())).chars(80)

    @admin.display(description="answered by")
    def answered_by(self, task: Task) -> str:
        if not task.service_used:
            return "-"
        return format_html('{}<br><span class="why">{}</span>', task.service_used, task.model_used)


@admin.register(Runner)
class RunnerAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    when_empty = "No process is at work. Start one with manage.py serve."
    list_display = ["__str__", "state", _moment("started_at"), _moment("seen_at")]
    ordering = ["host", "pid"]

    @admin.display(description="state")
    def state(self, runner: Runner) -> SafeString:
        lost = timezone.now() - runner.seen_at > Runner.LOST_AFTER
        return badge("bad", "not heard of any more") if lost else badge("good", "works")
