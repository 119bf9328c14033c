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
    Message,
    ProviderError,
    Reply,
    Tool,
    ToolCall,
    Usage,
)
from services.adapters.estimate import completed, estimate_inputs
from services.adapters.failure import Failure, ReportedError
from services.adapters.schemas import object_schema


def finished(reply: Reply, request: ChatRequest, reason: FinishReason, usage: Usage | None) -> Reply:
    """The reply with why it ended and what it took, guessed where the provider gave no figures."""
    calls = "".join(call.name + call.arguments for call in reply.tool_calls)
    return replace(
        reply,
        finish_reason=with_tools(reason, reply.tool_calls),
        usage=completed(usage, request, reply.reasoning + reply.text + calls),
    )


def require_answer(reply: Reply, reason: str, advice: str = "") -> None:
    """Refuse an answer without any content that ended for a reason other than the model's own.

    It is a failure that may pass, not an empty answer: it is tried again, or elsewhere. Thoughts alone are no content.
    """
    if not (reply.text.strip() or reply.tool_calls or reply.images):
        raise ReportedError(Failure(None, f"{advice or 'It sent no content'} (finish reason {reason})"))


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


def tool_names(messages: Iterable[Message]) -> dict[str, str]:
    """The tool of each call, by the call's id."""
    return {call.id: call.name for message in messages for call in message.tool_calls}


def arguments_object(arguments: str) -> dict[str, Any]:
    """The arguments of a tool call as the object that some protocols want in place of a text.

    Never fails: a model may have been cut off while it wrote them, and the conversation goes on all the same. What is
    no object is handed on as the `arguments` of one.
    """
    found = _decoded(arguments)
    if isinstance(found, str):  # encoded twice, or no JSON at all
        inner = _decoded(found)
        found = inner if isinstance(inner, dict) or inner is None else found
    if isinstance(found, dict):
        return found
    return {} if found is None else {"arguments": found}


def _decoded(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return text


def arguments_text(arguments: Any) -> str:
    """The arguments of a whole call as a JSON text, from whatever a server sent: an object, a text, or nothing.

    Some encode the text twice; none and null mean that the tool takes no arguments.
    """
    if isinstance(arguments, msgspec.Raw):
        written = bytes(arguments).decode()
        if written.startswith(("{", "[")):
            return written
        arguments = msgspec.json.decode(written) if written else None
    if not isinstance(arguments, str):
        return "{}" if arguments is None else msgspec.json.encode(arguments).decode()
    text = arguments.strip()
    if text in ("", "null"):
        return "{}"
    inner = _decoded(text) if text.startswith('"') else None
    return inner if isinstance(inner, str) and inner.lstrip().startswith("{") else arguments


def object_text(arguments: str) -> str:
    """The arguments as a JSON text of an object: as they were written, if they are one."""
    text = arguments_text(arguments)
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return msgspec.json.encode(arguments_object(arguments)).decode()
    return text


def function_tool(tool: Tool) -> dict[str, Any]:
    """A tool as OpenAI and Ollama want it."""
    wanted: dict[str, Any] = {"name": tool.name}
    if tool.description:
        wanted["description"] = tool.description
    return {"type": "function", "function": wanted | {"parameters": object_schema(tool.parameters)}}


def with_tools(reason: FinishReason, tool_calls: tuple[ToolCall, ...]) -> FinishReason:
    # Not every server says that it stopped for its tools.
    return "tool_calls" if reason == "stop" and tool_calls else reason
