from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view

from oxide_project.openapi.shapes import answers, json_body, query, refine, streamed
from tasks.body import ExecuteBody
from tasks.explain import Explanation
from tasks.explain_views import ExplainView
from tasks.export import ExportQuery
from tasks.history import HistoryQuery
from tasks.presentation import Export, HistoryPage, TaskAccepted, TaskAnswer, TaskCancelling, TaskDetail
from tasks.views import TaskViewSet

FIRST_TASK = OpenApiExample(
    "A first task",
    {"prompt": "Explain quantum computing", "task_type": "question_answer", "max_tokens": 500, "service": "auto"},
    request_only=True,
)


SAID_BY_A_USER = {
    "required": ["role", "content"],
    "properties": {
        "role": {"const": "user"},
        "content": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1}]},
    },
}
PROMPT_OR_MESSAGES = [
    {"required": ["prompt"], "properties": {"prompt": {"type": "string"}}},
    {"required": ["messages"], "properties": {"messages": {"type": "array", "contains": SAID_BY_A_USER}}},
]
CALLS_NOTHING = {"tool_calls": {"maxItems": 0}}
BY_ROLE = [
    {"properties": {"role": {"enum": ["system", "user"]}, **CALLS_NOTHING}},
    {"properties": {"role": {"const": "assistant"}}},
    {
        "required": ["tool_call_id"],
        "properties": {"role": {"const": "tool"}, "tool_call_id": {"minLength": 1}, **CALLS_NOTHING},
    },
]
NOT_GIVEN = {"type": "null"}
ONE_SHAPE_OF_CALL = [
    {
        "required": ["function"],
        "properties": {"function": {"type": "object"}, "name": NOT_GIVEN, "arguments": NOT_GIVEN},
    },
    {
        "required": ["name", "arguments"],
        "properties": {"function": NOT_GIVEN, "name": {"type": "string"}, "arguments": {"type": "string"}},
    },
]


def _files(answers: Mapping[int, Any]) -> dict[Any, Any]:
    """The answers of an operation that answers with CSV, too."""
    table = OpenApiResponse(OpenApiTypes.STR, "With `as=csv`: a line of names, then one for each task.")
    return {(200, "text/csv"): table, (200, "application/json"): answers[200]} | {
        status: answer for status, answer in answers.items() if status != 200
    }


_WHOSE = "Without the scope `read` a caller finds its own tasks alone."
_NOT_YOURS = "To a caller without the scope `read` a task of another caller is not there: 404."


def document() -> None:
    refine("MessageBody", oneOf=BY_ROLE)
    refine("ToolCallBody", oneOf=ONE_SHAPE_OF_CALL)
    extend_schema_view(
        execute=extend_schema(
            summary="Run a task",
            description="Oxide decides who does it, unless `service` names one. Send `prompt` or `messages`.",
            request=json_body(ExecuteBody, oneOf=PROMPT_OR_MESSAGES),
            responses=streamed(answers({200: TaskAnswer, 202: TaskAccepted}, 404, 413, 415, 500, 502, 503, 504, 529)),
            examples=[FIRST_TASK],
        ),
        history=extend_schema(
            summary="Find tasks again, the newest first",
            description=_WHOSE,
            parameters=query(HistoryQuery),
            responses=answers({200: HistoryPage}),
        ),
        export=extend_schema(
            summary="The tasks that a filter finds, as a file",
            description=f"Written while it is sent, the newest first: as CSV (`as=csv`) or JSON (`as=json`). {_WHOSE}",
            parameters=query(ExportQuery),
            responses=_files(answers({200: Export})),
        ),
        retrieve=extend_schema(
            summary="One task with its attempts", description=_NOT_YOURS, responses=answers({200: TaskDetail}, 404)
        ),
        cancel=extend_schema(
            summary="Call a task off",
            description=_NOT_YOURS,
            request=None,
            responses=answers({202: TaskCancelling}, 404),
        ),
    )(TaskViewSet)
    extend_schema_view(
        post=extend_schema(
            tags=["routing"],
            summary="Who would do a task, and why",
            description="Takes the body of a task, calls nobody and records nothing.",
            request=json_body(ExecuteBody, oneOf=PROMPT_OR_MESSAGES),
            responses=answers({200: Explanation}, 413, 415),
            examples=[FIRST_TASK],
        )
    )(ExplainView)
