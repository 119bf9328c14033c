"""The body of `POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create

What Oxide knows how to say to every provider is read into a task. The body itself goes along, so that
a provider of the same protocol gets it as it was written, fields that nobody here knows included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import orjson
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
from services.adapters.wire import arguments_text
from tasks import media
from tasks.body import check_media_urls, check_other_fields, file, image
from tasks.request import TaskRequest

# Only OpenAI's own protocol has a word for these. Their empty values ask for nothing.
_OPENAI_ONLY = ("audio", "functions", "logit_bias", "logprobs", "prediction", "web_search_options")


# What is read here of a body: a provider of another protocol gets this alone.
TRANSLATED = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "n",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "modalities",
    }
)


class ChatFunctionCall(Struct):
    name: str
    arguments: Any = "{}"  # a text; some clients send the object itself, or null


class CallInMessage(Struct):
    id: str | None = None
    function: ChatFunctionCall | None = None  # a call of a custom tool has none


class ChatMessage(Struct):
    """`content` is a text, parts, or whatever else a tool has answered. `images` are those of an earlier answer."""

    role: str
    content: Any = None
    tool_calls: list[CallInMessage] | None = None
    tool_call_id: str | None = None
    function_call: ChatFunctionCall | None = None
    images: list[dict[str, Any]] | None = None


class ChatFunction(Struct):
    name: str
    description: str | None = None
    parameters: Any = None


class ChatTool(Struct):
    type: str
    function: ChatFunction | None = None


class ChatSchema(Struct):
    name: str
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ChatResponseFormat(Struct):
    type: str
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
    body = decoding.body(raw, ChatBody, lenient=True)
    if not body.messages:
        raise BodyError("messages is empty: add a message.")
    return body


def task_request(body: ChatBody, raw: Any) -> TaskRequest:
    """`raw` is what `body` was read from. Raises `BodyError` and `names.ModelNotFoundError`."""
    named = names.resolve(body.wanted_model)
    needed_by = _needed_by(body, raw)
    check_other_fields({name: raw[name] for name in raw.keys() - TRANSLATED})
    return TaskRequest(
        chat=ChatRequest(
            model=named.model,
            messages=tuple(_message(each, f"messages[{i}]") for i, each in enumerate(body.messages)),
            max_tokens=body.max_completion_tokens or body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            top_k=body.top_k,
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
            native=Native("openai", raw, translated=TRANSLATED),
            needs=frozenset(needed_by),
            needed_by=needed_by,
        ),
        task_type=named.task_type,
        service=named.service,
    )


def tool_choice(choice: str | Mapping[str, Any] | None) -> str:
    """As `ChatRequest.tool_choice`."""
    if choice == "any":  # Mistral's word: https://docs.mistral.ai/capabilities/function_calling
        return "required"
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
        case "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max":
            return asked
    return ""


def _message(body: ChatMessage, path: str) -> Message:
    drawn = body.images or ()
    return Message(
        role=_ROLES.get(body.role, "user"),  # of another role only a provider that gets the body itself is asked
        parts=(
            *_parts(body.content, f"{path}.content"),
            *(_image(each, f"{path}.images[{i}]") for i, each in enumerate(drawn)),
        ),
        tool_calls=tuple(_tool_calls(body)),
        tool_call_id=body.tool_call_id or "",
    )


def _tool_calls(body: ChatMessage) -> Iterator[ToolCall]:
    if body.function_call:  # what calls were before there were several: https://platform.openai.com/docs/deprecations
        yield ToolCall("", body.function_call.name, arguments_text(body.function_call.arguments))
    for call in body.tool_calls or ():
        if call.function:
            yield ToolCall(call.id or "", call.function.name, _arguments(call.function.arguments))


def _arguments(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else arguments_text(arguments)


_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def _parts(content: Any, path: str) -> Iterator[Part]:
    if isinstance(content, dict) and "type" in content:
        content = [content]
    if isinstance(content, list) and all(isinstance(part, str | dict) for part in content):
        for i, part in enumerate(content):
            yield _part(part, f"{path}[{i}]") if isinstance(part, dict) else TextPart(part)
    elif content not in (None, ""):  # a tool may answer with any JSON
        yield TextPart(content if isinstance(content, str) else orjson.dumps(content).decode())


def _part(part: Mapping[str, Any], path: str) -> Part:
    if len(part) > 2 or part.get("type") not in _TEXTS:
        check_media_urls(part, path)  # all of it goes to a provider of the same protocol
    match part.get("type"):
        case kind if kind in _TEXTS:
            return TextPart(text_of(part, "refusal" if kind == "refusal" else "text", path))
        case "image_url" | "input_image":
            return _image(part, path)
        case "file" | "input_file" if _has_data(part):
            sent = part.get("file") or part
            return file(sent.get("filename") or "", sent["file_data"], f"{path}.file.file_data")
        case "input_audio" if _has_sound(part):
            sound = part["input_audio"]
            return media.audio(sound["data"], str(sound.get("format") or "wav"), f"{path}.input_audio.data")
        case kind:
            # What the history shows of it; only a provider that gets the body itself is asked.
            return TextPart(f"[{kind}]")


def _image(part: Mapping[str, Any], path: str) -> Part:
    address = part.get("image_url")
    if isinstance(address, str):
        return image(address, f"{path}.image_url")
    return image(text_of(address, "url", f"{path}.image_url"), f"{path}.image_url.url")


def _has_data(part: Mapping[str, Any]) -> bool:
    sent = part.get("file") or part
    return isinstance(sent, Mapping) and isinstance(sent.get("file_data"), str)


def _has_sound(part: Mapping[str, Any]) -> bool:
    sound = part.get("input_audio")
    return isinstance(sound, Mapping) and isinstance(sound.get("data"), str)


_TEXTS = ("text", "refusal", "input_text", "output_text")
_TRANSLATED_PARTS = (*_TEXTS, "image_url", "input_image")


def _tools(tools: Sequence[ChatTool]) -> Iterator[Tool]:
    for i, tool in enumerate(tools):
        if tool.type == "function":
            if tool.function is None:
                raise BodyError(f"tools[{i}].function is missing: describe the function.")
            parameters = tool.function.parameters
            known = parameters if isinstance(parameters, dict) else {}
            yield Tool(tool.function.name, tool.function.description or "", known)


def _json_schema(format: ChatResponseFormat | None) -> JsonSchema | None:  # noqa: A002 - the protocol's word
    if format is None or format.type != "json_schema":
        return None
    if format.json_schema is None:
        raise BodyError("response_format.json_schema is missing: name the schema and give it.")
    schema = format.json_schema
    return JsonSchema(schema.name, schema.schema or {}, bool(schema.strict))


def _needed_by(body: ChatBody, raw: Mapping[str, Any]) -> dict[Feature, str]:
    """What only some providers can do of it, with the fields that ask for it."""
    fields = list(_openai_only(body, raw))
    modalities = set(body.modalities or ())
    needed = {Feature.OPENAI: ", ".join(fields)} if fields else {}
    return needed | {Feature.IMAGE_OUTPUT: "modalities"} if "image" in modalities else needed


def _openai_only(body: ChatBody, raw: Mapping[str, Any]) -> Iterator[str]:
    if (body.n or 1) > 1:
        yield "n"
    yield from (name for name in _OPENAI_ONLY if raw.get(name))
    if set(body.modalities or ()) - {"text", "image"}:
        yield "modalities"
    if body.response_format and body.response_format.type not in ("text", "json_object", "json_schema"):
        yield "response_format.type"
    yield from (f"tools[{i}]" for i, tool in enumerate(body.tools or ()) if tool.type != "function")
    for i, message in enumerate(body.messages):
        if message.role not in _ROLES:
            yield f"messages[{i}].role"
        if isinstance(message.content, list):
            yield from _untranslated_parts(message.content, f"messages[{i}].content")
        if any(call.function is None for call in message.tool_calls or ()):
            yield f"messages[{i}].tool_calls"


def _untranslated_parts(content: list[Any], path: str) -> Iterator[str]:
    for i, part in enumerate(content):
        if isinstance(part, dict) and not _is_translated(part):
            yield f"{path}[{i}]"


def _is_translated(part: Mapping[str, Any]) -> bool:
    match part.get("type"):
        case "file" | "input_file":
            return _has_data(part)
        case "input_audio":
            return _has_sound(part)
        case kind:
            return kind in _TRANSLATED_PARTS
