"""What `POST /v1/responses` answers: https://platform.openai.com/docs/api-reference/responses/object"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from gateway.responses_settings import ResponseSettings
from services.adapters.base import FinishReason, ImagePart, Reply, ToolCall, Usage
from tasks.models import Task

Item = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete", "failed"]

_REASONS: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseShown(ResponseSettings):
    """`output` holds what the model thought, said and called, each as an item of its own.

    Times are in seconds since the epoch; `completed_at` is null where the response is not whole.
    """

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    error: dict[str, Any] | None
    incomplete_details: dict[str, str] | None
    model: str
    output: list[Item]
    usage: dict[str, Any] | None


def whole(task: Task, settings: ResponseSettings, reply: Reply) -> ResponseShown:
    return ended(task, begun(task, settings, reply.model), list(items(task, reply)), reply)


def begun(task: Task, settings: ResponseSettings, model: str) -> ResponseShown:
    """A response without any output yet."""
    return {
        "id": f"resp_{task.pk.hex}",
        "object": "response",
        "created_at": int(task.created_at.timestamp()),
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **settings,
    }


def ended(task: Task, response: ResponseShown, output: Sequence[Item], reply: Reply) -> ResponseShown:
    reason = _REASONS.get(reply.finish_reason)
    is_whole = reason is None and task.completed_at is not None
    return {
        **response,
        "completed_at": int(task.completed_at.timestamp()) if is_whole and task.completed_at else None,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "model": reply.model,
        "output": list(output),
        "usage": usage(reply.usage),
    }


def last_status(reply: Reply) -> str:
    """That of the last item, which is what an answer breaks off in."""
    return "incomplete" if reply.finish_reason in _REASONS else "completed"


def usage(spent: Usage) -> dict[str, Any]:
    return {
        "input_tokens": spent.prompt_tokens,
        "input_tokens_details": {"cached_tokens": spent.cached_tokens, "cache_write_tokens": spent.cache_write_tokens},
        "output_tokens": spent.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
        "total_tokens": spent.total_tokens,
    }


def items(task: Task, reply: Reply) -> Iterator[Item]:
    found = list(_items(task, reply))
    if found[-1]["type"] != "image_generation_call":  # which has other words, and comes whole
        found[-1]["status"] = last_status(reply)
    yield from found


def _items(task: Task, reply: Reply) -> Iterator[Item]:
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
    """Some clients show only the summary, some only the text itself: both hold all that the provider tells."""
    content = [{"type": "reasoning_text", "text": text}] if text else []
    summary = [summary_part(text)] if text else []
    identity = f"rs_{task.pk.hex}_{index}"
    return {"id": identity, "type": "reasoning", "summary": summary, "content": content, "status": status}


def summary_part(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def message(task: Task, index: int, text: str, status: str = "completed") -> Item:
    content = [] if status == "in_progress" else [text_part(text)]
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
