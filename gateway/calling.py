"""From a request in another dialect to a task under way, and what every answer says of it."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from apikeys.permissions import known_caller
from gateway import headers
from services.adapters.base import Reply
from services.adapters.pause import seconds
from tasks import pipeline
from tasks.errors import Code, Failure, TaskFailedError
from tasks.pipeline import Run
from tasks.request import TaskRequest

CALLED_OFF = "The task was called off. Send it again."


def begin(request: Request, wanted: TaskRequest, *, streams: bool = False) -> Run:
    """Prepare a task on behalf of whoever calls. Raises what `pipeline.prepare` raises."""
    patience = None if streams else _patience(request)
    identity = known_caller(request)
    wanted = replace(wanted, client=identity.name, caller=identity.caller, timeout_seconds=patience)
    return pipeline.prepare(wanted, getattr(request, "cancel", None))


def finish(run: Run) -> Reply:
    """Do the task. Raises what `pipeline.execute` raises, and for a task that somebody called off."""
    task = pipeline.execute(run)
    if run.reply is None:
        raise TaskFailedError(task, run.attempts, Failure(Code.CANCELLED, CALLED_OFF))
    return run.reply


def tell(response: HttpResponseBase, run: Run) -> HttpResponseBase:
    """Say in the headers who answered. Cost and attempts are known of a stream only as far as it has come."""
    task = run.task
    task_id = str(task.pk)
    told = {
        "x-request-id": task_id,
        "request-id": task_id,
        "x-oxide-task-id": task_id,
        "x-oxide-attempts": str(len(run.attempts)),
    }
    if answering := run.answering:
        told["x-oxide-service"] = answering.service
        told["x-oxide-model"] = _header(answering.model)
        if answering.dropped:
            told["x-oxide-dropped"] = _header(", ".join(answering.dropped))
    if not task.is_open:
        told["x-oxide-cost"] = "unknown" if task.cost is None else f"{task.cost:f}"
        told["x-oxide-cost-basis"] = task.cost_basis
        if task.execution_time is not None:
            told["openai-processing-ms"] = str(round(task.execution_time * 1000))
    headers.put(response, told)
    return response


def _patience(request: Request) -> float | None:
    """How long the client waits, as OpenAI's and Anthropic's SDKs say: nobody hears what comes later."""
    patience = seconds(request.META.get("HTTP_X_STAINLESS_READ_TIMEOUT", ""))
    return min(patience, settings.TASK_TIMEOUT_SECONDS) if patience else None


def _header(text: str) -> str:
    return text.encode("ascii", "replace").decode() if text.isprintable() else ""
