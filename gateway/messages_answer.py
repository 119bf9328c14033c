"""What `POST /v1/messages` answers: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypedDict

import orjson

from gateway.messages_body import OUR_SIGNATURE
from services.adapters.base import FinishReason, ImagePart, Reply, Usage
from services.adapters.wire import arguments_object
from tasks.models import Task

_STOP_REASONS: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class MessageUsage(TypedDict):
    """Tokens that the cache had a part in are counted beside `input_tokens`, not within."""

    input_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    output_tokens: int


class MessageShown(TypedDict):
    """An answer that an Anthropic service gives goes to the client as it came, with all that is in it."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    stop_sequence: str | None
    usage: MessageUsage


class TokenCount(TypedDict):
    input_tokens: int


def message(task: Task, reply: Reply) -> bytes:
    """The provider's own answer, where it speaks the same protocol, or one that we write."""
    if reply.native:
        return reply.native
    whole = begun(task, reply.model, reply.usage)
    whole |= {"content": list(_blocks(reply)), "stop_reason": stop_reason(reply.finish_reason)}
    return orjson.dumps(whole)


def begun(task: Task, model: str, spent: Usage) -> MessageShown:
    """A message without any content yet."""
    return {
        "id": f"msg_{task.pk.hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(spent),
    }


def stop_reason(reason: FinishReason) -> str:
    return _STOP_REASONS[reason]


def usage(spent: Usage) -> MessageUsage:
    return {
        "input_tokens": max(0, spent.prompt_tokens - spent.cached_tokens - spent.cache_write_tokens),
        "cache_read_input_tokens": spent.cached_tokens,
        "cache_creation_input_tokens": spent.cache_write_tokens,
        "output_tokens": spent.completion_tokens,
    }


def _blocks(reply: Reply) -> Iterator[dict[str, Any]]:
    if reply.reasoning:
        yield {"type": "thinking", "thinking": reply.reasoning, "signature": OUR_SIGNATURE}
    if reply.text:
        yield {"type": "text", "text": reply.text}
    yield from map(image, reply.images)
    for call in reply.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call.arguments)}


def image(drawn: ImagePart) -> dict[str, Any]:
    """An image that a model drew. The protocol has none in its answers; this is the block of its requests."""
    if drawn.url:
        return {"type": "image", "source": {"type": "url", "url": drawn.url}}
    return {"type": "image", "source": {"type": "base64", "media_type": drawn.media_type, "data": drawn.data}}
