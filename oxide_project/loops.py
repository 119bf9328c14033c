"""What a serving process does by itself, again and again, beside answering requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import close_old_connections

from apikeys import client_keys
from monitoring import pulse
from monitoring.health_checks import check_due
from monitoring.merging import merge_old
from oxide_project import memory
from oxide_project.checkpoints import keep_wal_short
from services import shared_health
from snapshots.snapshot import follow_all
from tasks import runner

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loop:
    name: str
    seconds: float
    work: Callable[[], object]


LOOPS = (
    Loop("snapshots", 1.0, follow_all),
    Loop("last used", 5.0, client_keys.write_last_used),
    Loop("runner", 1.0, runner.beat),
    Loop("checkpoint", 1.0, keep_wal_short),
    Loop("health", 0.5, check_due),
    Loop("shared health", 0.5, shared_health.exchange),
    Loop("progress", pulse.PROGRESS_SECONDS, pulse.tell_progress),
    Loop("figures", 3600.0, merge_old),
    Loop("metrics", pulse.METRICS_SECONDS, pulse.tell_metrics),
    Loop("memory", 15.0, memory.give_back),
)


class Loops:
    """Each loop on a thread of its own, so that a slow one delays no other."""

    def __init__(self, loops: Sequence[Loop] = LOOPS) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), name=loop.name, daemon=True) for loop in loops
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def _run(self, loop: Loop) -> None:
        failing = False
        while not self._stopping.wait(loop.seconds):
            try:
                _work(loop)
            except Exception as error:
                # Said once for each outage: a database that is away for an hour must not fill the log.
                if not failing:
                    logger.exception("The loop %r fails, and goes on trying.", loop.name, exc_info=error)
                failing = True
            else:
                failing = False


def _work(loop: Loop) -> None:
    try:
        loop.work()
    finally:
        close_old_connections()  # may itself fail where the database is away
