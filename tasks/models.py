from __future__ import annotations

import os
import socket
import time
import uuid
from collections import deque
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Left, Now
from django.utils import timezone

from apikeys.identity import Identity
from routing.engine import Candidate, Decision
from routing.task_types import CHOICES, TaskType
from services.adapters.base import ErrorKind, ProviderError, Reply, Usage
from services.prices import NANO, Cost, CostBasis
from services.text import storable
from tasks.blank import blank
from tasks.messages import kept
from tasks.request import TaskRequest
from tasks.tally import Tally

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


def make_id() -> uuid.UUID:
    """A UUID of version 7: new ids sort behind old ones, so that an index grows at its end.

    https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(_ten_bytes(), "big")
    high, low = random >> 68, random & ((1 << 62) - 1)
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


# Drawn ahead: each call of the system lets other threads in, and whoever made it waits for its turn again.
_drawn: deque[bytes] = deque()


def _ten_bytes() -> bytes:
    while True:
        try:
            return _drawn.pop()
        except IndexError:
            block = os.urandom(10 * 256)
            _drawn.extend(block[start : start + 10] for start in range(0, len(block), 10))


class Status(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


OPEN = (Status.QUEUED, Status.RUNNING)
_HEAVY = ("prompt", "messages", "parameters", "decision", "result", "reasoning", "tool_calls", "error_detail")
_PREVIEW = {"preview": Left("prompt", 500)}
# Rising, as rows come: new entries go to the end. The newest are read backwards just as well. Behind the time stands
# what the history is filtered by, so that whatever is not shown is passed over in the index: a million entries of it
# are read in a tenth of a second. An index for each filter would make every task that is stored a page heavier.
_BY_TIME = ["created_at", "id", "status", "service_used", "task_type"]
_OWNED = Q(caller__isnull=False)
ERROR_LIMIT = 2_000  # characters of an error that are kept
# So much of a text is exported: a cell of Excel's holds 32,767 characters.
# https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
EXPORTED_CHARACTERS = 32_000


class Metered(models.Model):
    """Tokens and money. Cost is in whole nano-dollars, so that sums are exact; null where unknown."""

    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    cached_tokens = models.PositiveBigIntegerField(default=0)
    cache_write_tokens = models.PositiveBigIntegerField(default=0)
    reasoning_tokens = models.PositiveBigIntegerField(default=0)
    usage_reported = models.BooleanField(default=True, help_text="Whether the provider counted, or Oxide estimated.")
    cost_nanodollars = models.BigIntegerField(null=True, default=0)
    cost_basis = models.CharField(
        max_length=10, blank=True, choices=[(basis.value, basis.value) for basis in CostBasis]
    )

    class Meta:
        abstract = True

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost(self) -> Decimal | None:
        """US dollars, or None where no price is known."""
        return None if self.cost_nanodollars is None else Decimal(self.cost_nanodollars) / NANO

    def meter(self, usage: Usage, cost: Cost) -> None:
        self.prompt_tokens = usage.prompt_tokens
        self.completion_tokens = usage.completion_tokens
        self.cached_tokens = usage.cached_tokens
        self.cache_write_tokens = usage.cache_write_tokens
        self.reasoning_tokens = usage.reasoning_tokens
        self.usage_reported = usage.reported
        self.cost_nanodollars = cost.nanodollars
        self.cost_basis = cost.basis


class Written(models.Value):
    """A status that stands in the SQL itself, as it does in the condition of an index.

    SQLite uses a partial index only where it sees that the query implies its condition, and a parameter inside of IN
    does not show it that. https://www.sqlite.org/partialindex.html#queries_using_partial_indexes
    """

    def as_sql(self, *_: Any, **__: Any) -> tuple[str, tuple[str | int, ...]]:
        return f"'{Status(self.value).value}'", ()


class TaskQuerySet(QuerySet["Task"]):
    def visible_to(self, identity: Identity, *, are_few: bool = False) -> TaskQuerySet:
        """All of them, or those of a caller who may see no others.

        `are_few` where an index finds the rows without the caller, few of them: SQLite would rather read the caller's
        whole history.
        """
        if identity.sees_all_tasks:
            return self
        if not identity.caller:
            return self.none()
        column = Coalesce("caller", Value("")) if are_few else F("caller")
        return self.alias(owned_by=column).filter(owned_by=identity.caller)

    def open(self) -> TaskQuerySet:
        return self.filter(status__in=[Written(status) for status in OPEN])

    def in_brief(self) -> TaskQuerySet:
        """Without the columns that may be megabytes long; `preview` is the beginning of the prompt."""
        return self.defer(*_HEAVY).annotate(**_PREVIEW)

    def for_export(self) -> TaskQuerySet:
        """Without the long columns but for `said_prompt` and `said_result`, the beginnings of these."""
        heads = {f"said_{name}": Left(name, EXPORTED_CHARACTERS) for name in ("prompt", "result")}
        return self.defer(*(name for name in _HEAVY if name != "error_detail")).annotate(**heads)


class Task(Metered):
    """What somebody asked for, who did it, and what came of it.

    The columns of `Metered` are the sums over the attempts. `messages` is empty where `prompt` is
    the whole conversation.
    """

    id = models.UUIDField(primary_key=True, default=make_id, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    task_type = models.CharField(max_length=20, choices=CHOICES)
    confidence = models.FloatField(null=True, help_text="How sure the classifier was; empty where the type was given.")
    prompt = models.TextField(help_text="The last thing the user said.")
    messages = models.JSONField(default=list)
    parameters = models.JSONField(default=dict, help_text="Everything else that was asked: limits, tools, schema.")
    requested_service = models.CharField(max_length=50, blank=True)
    requested_model = models.CharField(max_length=200, blank=True)
    client = models.CharField(max_length=150, blank=True, help_text="Who asked: a user, a key for programs.")
    # Null where nobody is known, so that adding the column touches no row and the index holds only rows with a caller.
    caller = models.CharField(  # noqa: DJ001
        max_length=24, null=True, editable=False, help_text="Whose task it is: the kind and the key of a user or a key."
    )
    decision = models.JSONField(default=dict, help_text="Who was to be asked, and why the others were not.")
    service_used = models.CharField(max_length=50, blank=True)
    model_used = models.CharField(max_length=200, blank=True)
    result = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    tool_calls = models.JSONField(default=list)
    finish_reason = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=30, blank=True)
    error_detail = models.TextField(blank=True)
    runner = models.UUIDField(null=True, help_text="The process that works on it.")
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)

    objects = TaskQuerySet.as_manager()

    if TYPE_CHECKING:
        attempts: RelatedManager[Attempt]
        preview: str  # on rows from `in_brief`
        said_prompt: str  # and these on rows from `for_export`
        said_result: str

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=_BY_TIME, name="task_by_time"),
            # Few tasks are open at any moment, so this one stays small however long the history.
            models.Index(fields=["status", "runner"], name="task_open", condition=Q(status__in=["queued", "running"])),
            # What went wrong is looked for most, and costs nothing where nothing does.
            models.Index(fields=_BY_TIME, name="task_failed_by_time", condition=Q(status="failed")),
            # The history of a caller who sees no other. It costs nothing while authentication is off.
            models.Index(fields=["caller", *_BY_TIME], name="task_by_caller", condition=_OWNED),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def execution_time(self) -> float | None:
        """Seconds from start to end."""
        if self.started_at is None or self.completed_at is None:
            return None
        return round((self.completed_at - self.started_at).total_seconds(), 4)

    @classmethod
    def of(cls, request: TaskRequest, task_type: TaskType, confidence: float | None, decision: Decision) -> Task:
        """A new task, not saved yet."""
        return blank(
            cls,
            task_type=task_type,
            confidence=confidence,
            prompt=request.prompt,
            messages=[kept(message) for message in request.chat.messages] if request.is_conversation else [],
            parameters=request.parameters,
            requested_service=request.service,
            requested_model=request.chat.model,
            client=request.client,
            caller=request.caller or None,
            decision=decision.written(),
        )

    def begin_attempt(self, number: int, candidate: Candidate) -> Attempt:
        attempt = blank(
            Attempt,
            task_id=self.pk,
            number=number,
            service=candidate.service,
            model=candidate.model,
            rule=candidate.rule_id,
        )
        Attempt._meta.get_field("task").set_cached_value(attempt, self)
        return attempt

    # Mutators: they change the object; `recorder.save` makes it durable.

    def start(self, runner: uuid.UUID) -> None:
        self.status = Status.RUNNING
        self.runner = runner
        self.started_at = timezone.now()

    def complete(self, service: str, reply: Reply) -> None:
        self._end(Status.COMPLETED)
        self._keep(service, reply)
        self.finish_reason = reply.finish_reason

    def fail(self, code: str, detail: str, service: str = "", partial: Reply | None = None) -> None:
        self._end(Status.FAILED)
        self.error_code = code
        self.error_detail = storable(detail)[:ERROR_LIMIT]
        if partial:
            self._keep(service, partial)

    def cancel(self, service: str = "", partial: Reply | None = None) -> None:
        self._end(Status.CANCELLED)
        self.error_code = "CANCELLED"
        if partial:
            self._keep(service, partial)

    def interrupt(self) -> None:
        self.fail("INTERRUPTED", "The process that worked on this task ended before it did. Send the task again.")

    def add_up(self, attempts: list[Attempt]) -> None:
        """Take the sums over the attempts. One unknown cost makes the whole unknown."""
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"):
            setattr(self, name, sum(getattr(attempt, name) for attempt in attempts))
        metered = [attempt for attempt in attempts if attempt.cost_basis]
        costs = [attempt.cost_nanodollars for attempt in metered]
        self.usage_reported = all(attempt.usage_reported for attempt in metered)
        self.cost_nanodollars = None if None in costs else sum(cost for cost in costs if cost is not None)
        self.cost_basis = max((attempt.cost_basis for attempt in metered), key=_LEAST_SURE.index, default="")

    def _end(self, status: Status) -> None:
        self.status = status
        self.completed_at = timezone.now()

    def _keep(self, service: str, reply: Reply) -> None:
        self.service_used = service
        self.model_used = storable(reply.model)[:200]
        self.result = storable(_result(reply))
        self.reasoning = storable(reply.reasoning)
        self.tool_calls = [
            {"id": storable(call.id), "name": storable(call.name), "arguments": storable(call.arguments)}
            for call in reply.tool_calls
        ]


class Attempt(Metered):
    """One call to one service on behalf of a task."""

    # Found by the index of the constraint below.
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField()
    service = models.CharField(max_length=50)
    model = models.CharField(max_length=200, blank=True)
    rule = models.CharField(max_length=50, blank=True, help_text="The rule that led here; empty for the default order.")
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    error_kind = models.CharField(
        max_length=20, blank=True, choices=[(kind.value, kind.value.replace("_", " ")) for kind in ErrorKind]
    )
    error = models.TextField(blank=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    latency_ms = models.FloatField(null=True)
    # Null, for few have any: and a column without a default is added without writing a million rows again.
    usage_details = models.JSONField(
        null=True, help_text="What else decided its price, such as the service tier, searches, writes for an hour."
    )
    dropped = models.JSONField(null=True, help_text="Fields of the request that were not sent to this service.")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["task", "number"], name="attempt_number_unique")]

    def __str__(self) -> str:
        return f"{self.task_id} #{self.number} on {self.service}"

    def complete(self, reply: Reply, cost: Cost) -> None:
        self._end(Status.COMPLETED)
        self._keep(reply, cost)
        self.finish_reason = reply.finish_reason

    def fail(self, error: ProviderError, partial_cost: Cost | None) -> None:
        self._end(Status.CANCELLED if error.kind is ErrorKind.CANCELLED else Status.FAILED)
        self.error_kind = error.kind
        self.error = storable(error.message)[:ERROR_LIMIT]
        self.http_status = error.status
        if error.partial and partial_cost:
            self._keep(error.partial, partial_cost)

    def _end(self, status: Status) -> None:
        self.status = status
        self.latency_ms = round((timezone.now() - self.started_at).total_seconds() * 1000, 2)
        self.dropped = self.dropped or None

    def _keep(self, reply: Reply, cost: Cost) -> None:
        self.model = storable(reply.model)[:200] or self.model
        self.meter(reply.usage, cost)
        self.usage_details = reply.usage.details


class TaskCount(Tally):
    """How many tasks are stored: counting a million of them for each page of the history would take too long.

    Whatever writes or deletes tasks goes through `tasks/storing.py`, which keeps this right.
    """

    FIGURES = ("number",)

    pk = models.CompositePrimaryKey("status", "service", "task_type")
    status = models.CharField(max_length=10, choices=Status)
    service = models.CharField(max_length=50, blank=True)
    task_type = models.CharField(max_length=20, choices=CHOICES)
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.number} {self.status}"

    @classmethod
    def total(cls, **key: str) -> int:
        """How many tasks there are of a status, service or type, or of several of these."""
        return cls.objects.filter(**key).aggregate(total=Sum("number"))["total"] or 0

    @classmethod
    def by_status(cls) -> dict[str, int]:
        found = cls.objects.values_list("status").annotate(Sum("number"))
        return {**dict.fromkeys(Status.values, 0), **dict(found)}


class Runner(models.Model):
    """A process that works on tasks. It says every few seconds that it is alive."""

    BEAT_SECONDS = 5
    LOST_AFTER = timedelta(seconds=20)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "process"
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @classmethod
    def this_process(cls) -> Runner:
        return cls(host=socket.gethostname()[:200], pid=os.getpid())

    def beat(self) -> None:
        self.seen_at = Now()  # the database's clock: those of several hosts differ
        self.save()

    @classmethod
    def lost(cls) -> QuerySet[Runner]:
        return cls.objects.filter(cls._is_lost())

    @classmethod
    def alive(cls) -> QuerySet[Runner]:
        return cls.objects.exclude(cls._is_lost())

    @classmethod
    def _is_lost(cls) -> Q:
        return Q(seen_at__lt=Now() - cls.LOST_AFTER)


def _result(reply: Reply) -> str:
    """The text and, where the model drew, its images in Markdown."""
    if not reply.images:
        return reply.text
    drawn = [f"![image]({image.address})" for image in reply.images]
    return "\n\n".join([*filter(None, [reply.text]), *drawn])


_LEAST_SURE = ["", CostBasis.REPORTED, CostBasis.COMPUTED, CostBasis.ESTIMATED, CostBasis.UNKNOWN]
