from __future__ import annotations

import uuid

from django.http import Http404
from django.http.response import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from apikeys import decoding
from apikeys.identity import Identity, Scope
from apikeys.permissions import OWN_OR_ALL, known_caller
from tasks import body, export, history, pipeline, presentation, running
from tasks.background import background
from tasks.cancel import cancel
from tasks.models import Task
from tasks.task_stream import TaskStream


class TaskViewSet(ViewSet):
    """Run tasks, find them again, call them off. Without the scope `read` a caller's own tasks are all there are."""

    scopes = {
        "execute": Scope.EXECUTE,
        "cancel": Scope.EXECUTE,
        "history": OWN_OR_ALL,
        "export": OWN_OR_ALL,
        "retrieve": OWN_OR_ALL,
    }
    lookup_value_regex = "[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}"

    @action(detail=False, methods=["post"])
    def execute(self, request: Request) -> HttpResponseBase:
        asked = decoding.body(request.data, body.ExecuteBody)
        identity = known_caller(request)
        wanted = body.task_request(asked, client=identity.name, caller=identity.caller)
        if asked.background:
            run = pipeline.prepare(wanted)
            return Response(presentation.accepted(background.submit(run)), status=202)
        # Set by the HTTP handler: the client going away calls the task off.
        run = pipeline.prepare(wanted, getattr(request, "cancel", None))
        if asked.stream:
            return TaskStream(run)
        return Response(presentation.answer(pipeline.execute(run)))

    @action(detail=False, methods=["get"])
    def history(self, request: Request) -> Response:
        asked = decoding.query(request.query_params.dict(), history.HistoryQuery)
        return Response(history.page(asked, known_caller(request)))

    @action(detail=False, methods=["get"])
    def export(self, request: Request) -> HttpResponseBase:
        asked = decoding.query(request.query_params.dict(), export.ExportQuery)
        return export.download(asked, known_caller(request), with_body=request.method != "HEAD")

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(presentation.detail(_find(pk, known_caller(request))))

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        # Who reads a stream knows of its task before the database does.
        task_id, identity = uuid.UUID(pk), known_caller(request)
        if not running.cancel(task_id, identity):
            cancel(_find(pk, identity))
        return Response(presentation.cancelling(str(task_id)), status=202)


def _find(pk: str, identity: Identity) -> Task:
    """A task of somebody else looks like one that is not there."""
    task = Task.objects.visible_to(identity).prefetch_related("attempts").filter(pk=pk).first()
    if task is None:
        raise Http404(f"There is no task {pk}. GET /api/tasks/history/ lists them.")
    return task
