"""What `POST /v1/chat/completions` answers: https://platform.openai.com/docs/api-reference/chat/object"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import orjson

from services.adapters.base import ImagePart, Reply, ToolCall, Usage
from tasks.models import Task


class FunctionCalled(TypedDict):
    name: str
    arguments: str


class ToolCalled(TypedDict):
    id: str
    type: Literal["function"]
    function: FunctionCalled


class ImageAddress(TypedDict):
    url: str


class ImageShown(TypedDict):
    """An image that the model drew, in the form of OpenRouter: `url` holds it as base64 data.

    https://openrouter.ai/docs/features/multimodal/image-generation
    """

    index: int
    type: Literal["image_url"]
    image_url: ImageAddress


class AssistantMessage(TypedDict):
    role: Literal["assistant"]
    content: str | None
    refusal: NotRequired[str | None]
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[ToolCalled]]
    images: NotRequired[list[ImageShown]]


class Choice(TypedDict):
    index: int
    message: AssistantMessage
    logprobs: NotRequired[Any]
    finish_reason: str


class PromptTokensDetails(TypedDict):
    cached_tokens: int
    cache_write_tokens: int


class CompletionTokensDetails(TypedDict):
    reasoning_tokens: int


class CompletionUsage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class Head(TypedDict):
    id: str
    object: str
    created: int
    model: str


class ChatCompletion(Head):
    """An answer that a provider of the same protocol gives goes to the client as it came, with all that is in it."""

    choices: list[Choice]
    usage: CompletionUsage


def completion(task: Task, reply: Reply) -> bytes:
    """The provider's own answer, where it speaks the same protocol, or one that we write."""
    return reply.native or orjson.dumps(_completion(task, reply))


def _completion(task: Task, reply: Reply) -> ChatCompletion:
    choice = Choice(index=0, message=_message(reply), logprobs=None, finish_reason=reply.finish_reason)
    return {
        **head(task, "chat.completion", reply.model),
        "choices": [choice],
        "usage": usage(reply.usage),
    }


def head(task: Task, kind: str, model: str) -> Head:
    """What every object of one answer begins with."""
    return {
        "id": f"chatcmpl-{task.pk.hex}",
        "object": kind,
        "created": int(task.created_at.timestamp()),
        "model": model,
    }


def usage(spent: Usage) -> CompletionUsage:
    return {
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "total_tokens": spent.total_tokens,
        "prompt_tokens_details": {"cached_tokens": spent.cached_tokens, "cache_write_tokens": spent.cache_write_tokens},
        "completion_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
    }


def _message(reply: Reply) -> AssistantMessage:
    message: AssistantMessage = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["content"] = reply.text or None
        message["tool_calls"] = [_tool_call(call) for call in reply.tool_calls]
    if reply.images:
        message["images"] = [image(index, each) for index, each in enumerate(reply.images)]
    return message


def image(index: int, drawn: ImagePart) -> ImageShown:
    return {"index": index, "type": "image_url", "image_url": {"url": drawn.address}}


def _tool_call(call: ToolCall) -> ToolCalled:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
