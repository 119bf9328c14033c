"""What `POST /v1/responses` answers: https://platform.openai.com/docs/api-reference/responses/object"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypedDict

from gateway.responses_body import ResponsesBody, ResponseTool
from services.adapters.base import FinishReason, ImagePart, Reply, ToolCall, Usage
from tasks.models import Task

Item = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete", "failed"]

_REASONS: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseShown(TypedDict):
    """`output` holds what the model thought, said and called, each as an item of its own."""

    id: str
    object: Literal["response"]
    created_at: float
    status: Status
    error: dict[str, Any] | None
    incomplete_details: dict[str, str] | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[Item]
    parallel_tool_calls: bool
    previous_response_id: None
    reasoning: dict[str, Any]
    store: bool
    temperature: float | None
    text: dict[str, Any]
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_p: float | None
    truncation: Literal["disabled"]
    usage: dict[str, Any] | None
    user: str | None


def whole(task: Task, body: ResponsesBody, reply: Reply) -> ResponseShown:
    return ended(begun(task, body, reply.model), list(items(task, reply)), reply)


def begun(task: Task, body: ResponsesBody, model: str) -> ResponseShown:
    """A response without any output yet; what was asked stands in it again."""
    return {
        "id": f"resp_{task.pk.hex}",
        "object": "response",
        "created_at": int(task.created_at.timestamp()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": None,
        "reasoning": {"effort": body.reasoning.effort if body.reasoning else None, "summary": None},
        "store": False,
        "temperature": body.temperature,
        "text": {"format": _format(body)},
        "tool_choice": body.tool_choice or "auto",
        "tools": [_tool(tool) for tool in body.tools or ()],
        "top_p": body.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": body.user,
    }


def ended(response: ResponseShown, output: Sequence[Item], reply: Reply) -> ResponseShown:
    reason = _REASONS.get(reply.finish_reason)
    return {
        **response,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "model": reply.model,
        "output": list(output),
        "usage": usage(reply.usage),
    }


def usage(spent: Usage) -> dict[str, Any]:
    return {
        "input_tokens": spent.prompt_tokens,
        "input_tokens_details": {"cached_tokens": spent.cached_tokens, "cache_write_tokens": spent.cache_write_tokens},
        "output_tokens": spent.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
        "total_tokens": spent.total_tokens,
    }


def items(task: Task, reply: Reply) -> Iterator[Item]:
    index = 0
    if reply.reasoning:
        yield thoughts(task, index, reply.reasoning)
        index += 1
    if reply.text or not (reply.tool_calls or reply.images):
        yield message(task, index, reply.text)
        index += 1
    for place, drawn in enumerate(reply.images, start=index):
        yield image(task, place, drawn)
    for place, call in enumerate(reply.tool_calls, start=index + len(reply.images)):
        yield function_call(task, place, call)


def thoughts(task: Task, index: int, text: str, status: str = "completed") -> Item:
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {"id": f"rs_{task.pk.hex}_{index}", "type": "reasoning", "summary": [], "content": content, "status": status}


def message(task: Task, index: int, text: str, status: str = "completed") -> Item:
    content = [text_part(text)] if status == "completed" else []
    identity = f"msg_{task.pk.hex}_{index}"
    return {"id": identity, "type": "message", "role": "assistant", "status": status, "content": content}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def image(task: Task, index: int, drawn: ImagePart) -> Item:
    """An image that the model drew: https://platform.openai.com/docs/guides/tools-image-generation"""
    identity = f"ig_{task.pk.hex}_{index}"
    return {"id": identity, "type": "image_generation_call", "status": "completed", "result": drawn.data or drawn.url}


def function_call(task: Task, index: int, call: ToolCall, status: str = "completed") -> Item:
    return {
        "id": f"fc_{task.pk.hex}_{index}",
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": status,
    }


def _format(body: ResponsesBody) -> dict[str, Any]:
    wanted = body.text.format if body.text else None
    if wanted is None or wanted.type != "json_schema":
        return {"type": wanted.type if wanted else "text"}
    return {"type": "json_schema", "name": wanted.name, "schema": wanted.schema, "strict": bool(wanted.strict)}


def _tool(tool: ResponseTool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters if isinstance(tool.parameters, dict) else {},
        "strict": bool(tool.strict),
    }
