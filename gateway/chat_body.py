"""The body of `POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create

What Oxide knows how to say to every provider is read into a task. The body itself goes along, so that
a provider of the same protocol gets it as it was written, fields that nobody here knows included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from apikeys import decoding
from apikeys.decoding import BodyError
from gateway import names
from gateway.fields import SampledBody, text_of
from services.adapters.base import (
    ChatRequest,
    Effort,
    Feature,
    JsonSchema,
    Message,
    Native,
    Part,
    Role,
    TextPart,
    Tool,
    ToolCall,
)
from tasks.body import check_media_urls, image
from tasks.request import TaskRequest

# Only OpenAI's own protocol has a word for these. Their empty values ask for nothing.
_OPENAI_ONLY = ("audio", "functions", "logit_bias", "logprobs", "prediction", "web_search_options")


class ChatFunctionCall(Struct):
    name: str
    arguments: str = "{}"


class CallInMessage(Struct):
    id: str
    function: ChatFunctionCall | None = None  # a call of a custom tool has none


class ChatMessage(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[CallInMessage] | None = None
    tool_call_id: str | None = None


class ChatFunction(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ChatTool(Struct):
    type: str
    function: ChatFunction | None = None


class ChatSchema(Struct):
    name: str
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ChatResponseFormat(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: ChatSchema | None = None


class ChatBody(SampledBody, kw_only=True):
    messages: list[ChatMessage]
    max_completion_tokens: int | None = None
    tools: list[ChatTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ChatResponseFormat | None = None
    reasoning_effort: str | None = None
    modalities: list[str] | None = None


def read(raw: object) -> ChatBody:
    """Raises `BodyError`."""
    body = decoding.body(raw, ChatBody)
    if not body.messages:
        raise BodyError("messages is empty: add a message.")
    return body


def task_request(body: ChatBody, raw: Any) -> TaskRequest:
    """`raw` is what `body` was read from. Raises `BodyError` and `names.ModelNotFoundError`."""
    named = names.resolve(body.model)
    return TaskRequest(
        chat=ChatRequest(
            model=named.model,
            messages=tuple(_message(each, f"messages[{i}]") for i, each in enumerate(body.messages)),
            max_tokens=body.max_completion_tokens or body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            seed=body.seed,
            presence_penalty=body.presence_penalty,
            frequency_penalty=body.frequency_penalty,
            stop=body.stops,
            tools=tuple(_tools(body.tools or ())),
            tool_choice=tool_choice(body.tool_choice),
            parallel_tool_calls=body.parallel_tool_calls,
            json_schema=_json_schema(body.response_format),
            json_object=bool(body.response_format and body.response_format.type == "json_object"),
            effort=effort(body.reasoning_effort),
            native=Native("openai", raw),
            needs=frozenset(_needs(body, raw)),
        ),
        task_type=named.task_type,
        service=named.service,
    )


def tool_choice(choice: str | Mapping[str, Any] | None) -> str:
    """As `ChatRequest.tool_choice`."""
    if isinstance(choice, str) or choice is None:
        if choice not in (None, "auto", "none", "required"):
            raise BodyError('tool_choice must be "auto", "none", "required" or an object that names a function.')
        return choice or ""
    named = choice.get("function") or choice
    name = named.get("name") if isinstance(named, Mapping) else None
    return name if isinstance(name, str) else ""


def effort(asked: str | None) -> Effort | Literal[""]:
    """What is not known here (new grades come) is left to the provider."""
    match asked:
        case "none" | "minimal" | "low" | "medium" | "high":
            return asked
        case "xhigh" | "max":
            return "high"
    return ""


def _message(body: ChatMessage, path: str) -> Message:
    return Message(
        role=_ROLES[body.role],
        parts=tuple(_parts(body.content, f"{path}.content")),
        tool_calls=tuple(
            ToolCall(call.id, call.function.name, call.function.arguments)
            for call in body.tool_calls or ()
            if call.function
        ),
        tool_call_id=body.tool_call_id or "",
    )


_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def _parts(content: str | list[dict[str, Any]] | None, path: str) -> Iterator[Part]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    for i, part in enumerate(content or ()):
        yield _part(part, f"{path}[{i}]")


def _part(part: Mapping[str, Any], path: str) -> Part:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return TextPart(text_of(part, str(kind), path))
    if kind == "image_url":
        address = part.get("image_url")
        return image(text_of(address, "url", f"{path}.image_url"), f"{path}.image_url.url")
    if kind not in _OPENAI_PARTS:
        raise BodyError(f'{path}.type must be "text", "image_url" or another type of OpenAI\'s API, not {kind!r}.')
    check_media_urls(part, path)
    return TextPart(f"[{kind}]")  # what the history shows of it; only a provider that gets the body itself is asked


_OPENAI_PARTS = ("input_audio", "file")


def _tools(tools: Sequence[ChatTool]) -> Iterator[Tool]:
    for i, tool in enumerate(tools):
        if tool.type == "function":
            if tool.function is None:
                raise BodyError(f"tools[{i}].function is missing: describe the function.")
            yield Tool(tool.function.name, tool.function.description or "", tool.function.parameters or {})


def _json_schema(format: ChatResponseFormat | None) -> JsonSchema | None:  # noqa: A002 - the protocol's word
    if format is None or format.type != "json_schema":
        return None
    if format.json_schema is None:
        raise BodyError("response_format.json_schema is missing: name the schema and give it.")
    schema = format.json_schema
    return JsonSchema(schema.name, schema.schema or {}, bool(schema.strict))


def _needs(body: ChatBody, raw: Mapping[str, Any]) -> Iterator[Feature]:
    parts = [part for message in body.messages if isinstance(message.content, list) for part in message.content]
    if (
        (body.n or 1) > 1
        or any(raw.get(name) for name in _OPENAI_ONLY)
        or any(part.get("type") in _OPENAI_PARTS for part in parts)
        or any(tool.type != "function" for tool in body.tools or ())
        or any(call.function is None for message in body.messages for call in message.tool_calls or ())
        or (body.modalities or ["text"]) != ["text"]
    ):
        yield Feature.OPENAI
