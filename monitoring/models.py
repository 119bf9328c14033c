from __future__ import annotations

from datetime import datetime

from django.db import models

from routing.task_types import CHOICES
from services.prices import CostBasis
from tasks.models import Status
from tasks.tally import Tally

# The period that holds the sums over all time.
ALL_TIME = 0
# New figures are kept by the minute; `monitoring/merging.py` adds older ones up by longer periods, these in minutes.
FINE = 5
HOUR = 60
DAY = 24 * HOUR


def minute_of(moment: datetime) -> int:
    """The whole minutes since 1970, UTC."""
    return int(moment.timestamp()) // 60


class Period(Tally):
    """Figures of a stretch of time, named by its first minute."""

    period = models.PositiveBigIntegerField(help_text="The minute since 1970, UTC, with which it begins; 0: all time.")

    class Meta:
        abstract = True


class Rollup(Period):
    """What was done in a period: what statistics are made of, so that they need not read the history.

    A task counts where it ended: under the service and model that answered it, or under none. Its attempts, with
    tokens and money, count under their own service, model and status, at the time when the task ended. The row of
    all time has neither model nor task type nor basis.
    """

    FIGURES = (
        "tasks",
        "attempts",
        "prompt_tokens",
        "completion_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "cost_nanodollars",
        "latency_us",
    )

    pk = models.CompositePrimaryKey("period", "service", "model", "task_type", "status", "cost_basis")
    service = models.CharField(max_length=50, blank=True)
    model = models.CharField(max_length=200, blank=True)
    task_type = models.CharField(max_length=20, choices=CHOICES, blank=True)
    status = models.CharField(max_length=10, choices=Status)
    cost_basis = models.CharField(
        max_length=10, blank=True, choices=[(basis.value, basis.value) for basis in CostBasis]
    )
    tasks = models.BigIntegerField(default=0)
    attempts = models.BigIntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_nanodollars = models.BigIntegerField(default=0)
    latency_us = models.BigIntegerField(default=0, help_text="Microseconds, the sum over the attempts.")

    def __str__(self) -> str:
        return f"{self.service} {self.status} from minute {self.period}"


class LatencyCount(Period):
    """How many completed attempts took how long: a histogram for each period and service."""

    FIGURES = ("attempts",)

    pk = models.CompositePrimaryKey("period", "service", "bucket")
    service = models.CharField(max_length=50)
    bucket = models.PositiveSmallIntegerField(help_text="See monitoring/histogram.py.")
    attempts = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.attempts} of {self.service} in bucket {self.bucket} from minute {self.period}"
