"""The body of `POST /api/tasks/execute/`, validated as it is decoded.

Messages, tools and response format are written as OpenAI's chat API writes them
(https://platform.openai.com/docs/api-reference/chat/create), because that is what people know. Tool calls are
also taken as Oxide's own answers give them, so that they can be sent back as they came.
A field that is not listed here is refused by name: a slip in spelling must not pass unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from apikeys.decoding import BodyError
from routing.task_types import TaskType
from services.adapters.addresses import media_url_problem
from services.adapters.base import (
    ChatRequest,
    FilePart,
    ImagePart,
    JsonSchema,
    Message,
    Part,
    Role,
    TextPart,
    Tool,
    ToolCall,
)
from services.adapters.wire import arguments_text
from tasks import media
from tasks.request import TaskRequest

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class TextBody(Struct, tag="text", forbid_unknown_fields=True):
    text: str


class ImageAddress(Struct):
    url: Annotated[
        str, Meta(min_length=1, extra_json_schema={"pattern": "^([hH][tT][tT][pP][sS]?://|[dD][aA][tT][aA]:)"})
    ]


class ImageBody(Struct, tag="image_url", forbid_unknown_fields=True):
    image_url: ImageAddress


class FileData(Struct):
    """`file_data` is base64, an address that holds it (`data:application/pdf;base64,…`), or an http(s) address."""

    file_data: Annotated[str, Meta(min_length=1)]
    filename: str = ""


class FileBody(Struct, tag="file", forbid_unknown_fields=True):
    file: FileData


class AudioData(Struct):
    data: Annotated[str, Meta(min_length=1)]
    format: str = "wav"


class AudioBody(Struct, tag="input_audio", forbid_unknown_fields=True):
    input_audio: AudioData


PartBody = TextBody | ImageBody | FileBody | AudioBody


class FunctionCall(Struct):
    name: Name
    arguments: str | dict[str, Any] | None = "{}"


class ToolCallBody(Struct):
    """With `function` as OpenAI writes it, or with `name` and `arguments` as Oxide answers."""

    id: Name
    function: FunctionCall | None = None
    name: Name | None = None
    arguments: str | dict[str, Any] | None = None


class MessageBody(Struct, forbid_unknown_fields=True):
    role: Role
    content: str | list[PartBody] | None = None
    tool_calls: list[ToolCallBody] = []
    tool_call_id: str = ""


class Function(Struct):
    name: Name
    description: str = ""
    parameters: dict[str, Any] = {}


class ToolBody(Struct):
    type: Literal["function"]
    function: Function


class ChosenFunction(Struct):
    name: Name


class ChosenTool(Struct):
    type: Literal["function"]
    function: ChosenFunction


class SchemaBody(Struct):
    name: Name
    schema: dict[str, Any]
    strict: bool = True


class ResponseFormat(Struct):
    type: Literal["json_schema"]
    json_schema: SchemaBody


class ExecuteBody(Struct, forbid_unknown_fields=True):
    """`null` means the same as leaving a field out."""

    prompt: Annotated[str, Meta(extra_json_schema={"pattern": r"\S"})] | None = None
    messages: list[MessageBody] | None = None
    task_type: TaskType | None = None
    service: str | None = None
    model: Annotated[str, Meta(max_length=200)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    stop: str | list[str] | None = None
    tools: list[ToolBody] | None = None
    tool_choice: Literal["auto", "none", "required"] | ChosenTool | None = None
    response_format: ResponseFormat | None = None
    parameters: dict[str, Any] | None = None
    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    background: bool | None = None
    stream: bool | None = None


def task_request(body: ExecuteBody, client: str = "", caller: str = "") -> TaskRequest:
    if body.background and body.stream:
        raise BodyError("A task is either streamed or done in the background: leave stream or background out.")
    check_other_fields(body.parameters or {}, "parameters")
    return TaskRequest(
        chat=ChatRequest(
            model=body.model or "",
            messages=_messages(body),
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            stop=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
            tools=tuple(_tool(tool) for tool in body.tools or ()),
            tool_choice=_tool_choice(body),
            json_schema=_json_schema(body.response_format),
            extra=body.parameters or {},
        ),
        task_type=body.task_type,
        service="" if body.service == "auto" else body.service or "",
        timeout_seconds=body.timeout_seconds,
        client=client,
        caller=caller,
    )


def _messages(body: ExecuteBody) -> tuple[Message, ...]:
    if (body.prompt is None) == (body.messages is None):
        raise BodyError("Send either prompt (a text) or messages (a list), and not both.")
    if body.prompt is not None:
        if not body.prompt.strip():
            raise BodyError("prompt is empty: say what is to be done.")
        return (Message("user", (TextPart(body.prompt),)),)
    messages = tuple(_message(message, f"messages[{i}]") for i, message in enumerate(body.messages or ()))
    if not any(message.role == "user" and message.parts for message in messages):
        raise BodyError('messages holds nothing that a user said: add a message with role "user".')
    return messages


def _message(body: MessageBody, path: str) -> Message:
    if body.role == "tool" and not body.tool_call_id:
        raise BodyError(f"{path}.tool_call_id is missing: a tool message names the call that it answers.")
    if body.tool_calls and body.role != "assistant":
        raise BodyError(f"{path}.tool_calls: only assistant messages call tools.")
    return Message(
        role=body.role,
        parts=_parts(body.content, f"{path}.content"),
        tool_calls=tuple(_tool_call(call, f"{path}.tool_calls[{i}]") for i, call in enumerate(body.tool_calls)),
        tool_call_id=body.tool_call_id,
    )


def _tool_call(body: ToolCallBody, path: str) -> ToolCall:
    function = body.function
    if function and body.name is None and body.arguments is None:
        return ToolCall(body.id, function.name, arguments_text(function.arguments))
    if body.name is not None and body.arguments is not None and not function:
        return ToolCall(body.id, body.name, arguments_text(body.arguments))
    raise BodyError(f"{path}: send either function (an object with both) or name and arguments beside the id.")


def _parts(content: str | list[PartBody] | None, path: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    return tuple(_part(part, f"{path}[{i}]") for i, part in enumerate(content or ()))


def media_url(url: str, path: str) -> str:
    """The address of an image or document that the provider is to fetch. Raises `BodyError` for what it must not."""
    if problem := media_url_problem(url):
        raise BodyError(f"{path} {problem}.")
    return url


def check_media_urls(value: Any, path: str, name: str = "") -> None:
    """Check every address in what goes to the provider as it is, however deep it stands. Raises `BodyError`.

    `name` is that of the field that holds `value`.
    """
    if isinstance(value, str):
        if value[:5].lower() != "data:" and _is_address(name, value):
            media_url(value, path)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            check_media_urls(each, f"{path}.{key}", key)
    elif isinstance(value, list):
        for i, each in enumerate(value):
            check_media_urls(each, f"{path}[{i}]", name)


def check_other_fields(fields: Mapping[str, Any], path: str = "") -> None:
    """The same for fields of a body that only the provider knows. Raises `BodyError`."""
    for name, value in fields.items():
        if name not in _NEVER_FETCHED:
            check_media_urls(value, f"{path}.{name}" if path else name, name)


def _is_address(name: str, value: str) -> bool:
    return name in _ADDRESS_FIELDS or (name not in _TEXT_FIELDS and bool(_FETCHED.match(value)))


_ADDRESS_FIELDS = frozenset({"url", "uri", "image_url", "file_url", "video_url", "audio_url", "file_uri", "fileUri"})
# What people and tools wrote, in which an address is nothing to be fetched.
_TEXT_FIELDS = frozenset({"text", "content", "title", "context", "thinking", "arguments", "input", "prompt", "query"})
_NEVER_FETCHED = frozenset(
    {"metadata", "user", "safety_identifier", "session_id", "prompt_cache_key"}
    | {"tools", "functions", "response_format", "prediction"}
)
# Servers take addresses in fields of any name: `video` of Qwen, `file_data` of OpenRouter, `image` of Jina.
# https://www.alibabacloud.com/help/en/model-studio/vision, https://openrouter.ai/docs/features/multimodal/pdfs,
# https://jina.ai/embeddings/
_FETCHED = re.compile(r"\s*(?:(?:https?|ftps?|gopher|dict|ldaps?|smb)://|file:)\S*\s*\Z", re.IGNORECASE)


def _part(part: PartBody, path: str) -> Part:
    match part:
        case TextBody(text=text):
            return TextPart(text)
        case ImageBody(image_url=address):
            return image(address.url, f"{path}.image_url.url")
        case FileBody(file=sent):
            return file(sent.filename, sent.file_data, f"{path}.file.file_data")
        case AudioBody(input_audio=sound):
            return media.audio(sound.data, sound.format, f"{path}.input_audio.data")


def image(url: str, path: str) -> ImagePart | FilePart:
    if url[:5].lower() != "data:":
        return ImagePart(url=media_url(url, path))
    return media.image(url, path)


def file(name: str, data: str, path: str) -> FilePart:
    """A document from base64 data, or by its address. Raises `BodyError` that names `path`."""
    # OpenRouter takes an address in place of the data: https://openrouter.ai/docs/features/multimodal/pdfs
    if "://" in data[:32] and data[:5].lower() != "data:":
        return FilePart(url=media_url(data, path), name=name)
    return media.file(name, data, path)


def _tool(body: ToolBody) -> Tool:
    return Tool(body.function.name, body.function.description, body.function.parameters)


def _tool_choice(body: ExecuteBody) -> str:
    choice = body.tool_choice
    name = choice.function.name if isinstance(choice, ChosenTool) else ""
    if name and name not in {tool.function.name for tool in body.tools or ()}:
        raise BodyError(f"tool_choice names {name!r}, which is not among the tools.")
    return name or (choice if isinstance(choice, str) else "")


def _json_schema(body: ResponseFormat | None) -> JsonSchema | None:
    return JsonSchema(body.json_schema.name, body.json_schema.schema, body.json_schema.strict) if body else None
