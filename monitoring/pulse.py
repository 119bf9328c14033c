"""What clients of `/ws` are told without anything having happened (run by oxide_project/loops.py)."""

from __future__ import annotations

from django.utils import timezone

from monitoring import events, metrics, system
from monitoring.hub import hub
from monitoring.machine import machine
from monitoring.models import minute_of
from monitoring.progress import tracker
from monitoring.series import series
from monitoring.stats import StatsQuery, stats
from monitoring.statuses import statuses

PROGRESS_SECONDS = 1.0
METRICS_SECONDS = 5.0


def tell_progress() -> None:
    """How far running tasks are; and the state of services that was changed by another process."""
    statuses.tell_changes()
    for running in tracker if hub.is_heard else ():
        task = running.still()
        if task and running.advance():
            events.task_progress(task)
    tracker.forget_ended()


def tell_metrics() -> None:
    """The figures, to whoever listens; what the machine does is kept for whoever comes later."""
    machine.note(minute_of(timezone.now()), system.current())
    if hub.has_listeners:
        hour = stats(StatsQuery(window="1h"))
        # Of the minutes those that change; whoever shows the hour has the others.
        events.metrics({**metrics.snapshot(), "stats": hour, "minutes": series(2)})
