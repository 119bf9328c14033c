"""What several protocols write alike."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from services.adapters.base import (
    ChatRequest,
    EmbeddingRequest,
    Embeddings,
    ErrorKind,
    FinishReason,
    ProviderError,
    Reply,
    Tool,
    ToolCall,
    Usage,
)
from services.adapters.estimate import completed, estimate_inputs


def finished(reply: Reply, request: ChatRequest, reason: FinishReason, usage: Usage | None) -> Reply:
    """The reply with why it ended and what it took, guessed where the provider gave no figures."""
    calls = "".join(call.name + call.arguments for call in reply.tool_calls)
    return replace(
        reply,
        finish_reason=with_tools(reason, reply.tool_calls),
        usage=completed(usage, request, reply.reasoning + reply.text + calls),
    )


def embedded(
    request: EmbeddingRequest, model: str, vectors: Iterable[tuple[float, ...]], usage: Usage | None
) -> Embeddings:
    """The vectors, if there is one for each input, with what they took, guessed where the provider did not say."""
    found = tuple(vectors)
    if len(found) != len(request.inputs):
        raise msgspec.ValidationError(f"there are {len(found)} vectors in it for {len(request.inputs)} inputs")
    return Embeddings(model, found, usage or estimate_inputs(request))


def texts_of(request: EmbeddingRequest, service: str) -> list[str]:
    """The inputs, for a protocol that takes only text."""
    texts = [item for item in request.inputs if isinstance(item, str)]
    if len(texts) < len(request.inputs):
        raise ProviderError(
            ErrorKind.UNSUPPORTED, f"{service} takes texts to embed, not tokens. Send texts, or use another service."
        )
    return texts


def make_call_id() -> str:
    """For providers that give their tool calls no id."""
    return f"call_{secrets.token_hex(12)}"


def tool_name(request: ChatRequest, tool_call_id: str) -> str:
    """The tool that an earlier turn called under this id."""
    for message in request.messages:
        for call in message.tool_calls:
            if call.id == tool_call_id:
                return call.name
    raise ProviderError(
        ErrorKind.BAD_REQUEST,
        f"A tool message answers the call {tool_call_id!r}, which no earlier message makes. Send that message too.",
    )


def arguments_object(call: ToolCall) -> dict[str, Any]:
    """The arguments as the object that some protocols want in place of a text."""
    try:
        return msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ProviderError(
            ErrorKind.BAD_REQUEST,
            f"The arguments of the tool call {call.id!r} are not a JSON object. Send them as one.",
        ) from None


def function_tool(tool: Tool) -> dict[str, Any]:
    """A tool as OpenAI and Ollama want it."""
    wanted = {"name": tool.name, "description": tool.description, "parameters": parameters_schema(tool)}
    return {"type": "function", "function": wanted}


def parameters_schema(tool: Tool) -> dict[str, Any]:
    """A tool without parameters still needs a schema that says so."""
    return dict(tool.parameters) or {"type": "object", "properties": {}}


def with_tools(reason: FinishReason, tool_calls: tuple[ToolCall, ...]) -> FinishReason:
    # Not every server says that it stopped for its tools.
    return "tool_calls" if reason == "stop" and tool_calls else reason
