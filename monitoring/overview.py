"""The whole as it is now: what a client of `/ws` gets first, and with which it can begin again after a gap."""

from __future__ import annotations

import asyncio
import uuid
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import orjson

from apikeys.identity import Identity
from monitoring import events, metrics, statuses
from monitoring.aside import aside
from monitoring.events import TaskDelta, TaskProgress
from monitoring.hub import hub
from monitoring.progress import tracker
from tasks.models import Task

MOST_TASKS = 500
_COLUMNS = (
    "status", "task_type", "service_used", "model_used", "decision", "created_at", "started_at", "completed_at",
)  # fmt: skip


class Overviews:
    """The overview that each caller may see, ready to be sent: one for all with the scope `read`, and one a caller."""

    def __init__(self) -> None:
        self._shared: WeakValueDictionary[str | None, _Shared] = WeakValueDictionary()

    async def get(self, identity: Identity) -> str:
        """Raises what the database raises."""
        key = None if identity.sees_all_tasks else identity.caller
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = _Shared(identity)
        return await shared.get()


class _Shared:
    """Reads it once for all who ask at about the same time; never begins before whoever gets it has asked."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._reading: asyncio.Task[str] | None = None
        self._next: asyncio.Task[str] | None = None

    async def get(self) -> str:
        if self._next is None or self._next.done():
            self._next = asyncio.get_running_loop().create_task(self._read_after(self._reading))
        return await asyncio.shield(self._next)

    async def _read_after(self, earlier: asyncio.Task[str] | None) -> str:
        if earlier and not earlier.done():
            await asyncio.wait([earlier])
        # Who comes from now on may know of something that happened after this reading began.
        self._reading, self._next = self._next, None
        seq = hub.seq
        data = await aside(partial(read, self._identity))
        return orjson.dumps({"type": "snapshot", "seq": seq, "data": data}, default=str).decode()


overviews = Overviews()


def read(identity: Identity) -> dict[str, Any]:
    """`more_tasks` tells that there are more open tasks than are shown. Who sees only its own tasks sees neither
    services nor metrics, which are about everybody's.
    """
    tasks = _open_tasks(identity)
    shown = {"tasks": tasks[:MOST_TASKS], "more_tasks": len(tasks) > MOST_TASKS}
    if not identity.sees_all_tasks:
        return {"services": {}, "metrics": None, **shown}
    states = statuses.current()
    statuses.statuses.note_told(states)
    return {"services": states, "metrics": metrics.snapshot(), **shown}


def task(task_id: str, identity: Identity) -> list[TaskProgress | TaskDelta]:
    """Where one task stands, with what its model has said so far where this process works on it. Nothing of a task
    that `identity` may not see, as of one that is not there.
    """
    running = tracker.get(task_id)
    young = running.still() if running else None
    if running and young:
        if not identity.may_see(young.caller):
            return []
        said = running.text
        return [events.describe(young), *([events.delta(task_id, said, 0)] if said else [])]
    found = Task.objects.visible_to(identity).in_brief().filter(pk=uuid.UUID(task_id)).first()
    return [events.describe(found)] if found else []


def _open_tasks(identity: Identity) -> list[TaskProgress]:
    """Running ones first, then the newest. Those that have just begun may not be in the database yet."""
    rows = Task.objects.open().visible_to(identity, are_few=True).only(*_COLUMNS)
    first = rows.order_by("-status", "-created_at")[: MOST_TASKS + 1]
    known = {str(row.pk): _whole(row) for row in first if row not in tracker.told_early}
    mine = [running for running in tracker if identity.may_see(running.task.caller)]
    young = [running.still() for running in mine if str(running.task.pk) not in known]
    return [events.describe(row) for row in (*young, *known.values()) if row]


def _whole(row: Task) -> Task:
    """As this process has it, where it works on it: with its prompt, of which an estimate of its cost is made."""
    running = tracker.get(str(row.pk))
    return (running and running.still()) or row
