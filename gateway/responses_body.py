"""The body of `POST /v1/responses`: https://platform.openai.com/docs/api-reference/responses/create

It is answered by way of chat, so that every kind of provider can do it. Nothing is remembered from one
response to the next: what only OpenAI's own server can do with what it remembers, or with tools that it
runs itself, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import orjson
from msgspec import Meta, Struct

from apikeys import decoding
from apikeys.decoding import BodyError
from gateway import names
from gateway.chat_body import effort, tool_choice
from gateway.fields import text_of
from routing.engine import ANY_SERVICE
from services.adapters.base import (
    ChatRequest,
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
from tasks.body import file, image
from tasks.request import TaskRequest

_REFUSED = {
    "previous_response_id": "Oxide keeps no conversations: send all of its items as input.",
    "conversation": "Oxide keeps no conversations: send all of its items as input.",
    "prompt": "Oxide keeps no prompts: send the text as instructions.",
    "background": "To have it done in the background, POST /api/tasks/execute/ with background.",
}
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class ResponseTool(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Any = None
    strict: bool | None = None


class ResponseTextFormat(Struct):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ResponseText(Struct):
    format: ResponseTextFormat | None = None
    verbosity: str | None = None


class ResponseReasoning(Struct):
    effort: str | None = None
    summary: str | None = None


class ResponsesBody(Struct, kw_only=True):
    model: str | None = None
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: list[ResponseTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: ResponseText | None = None
    reasoning: ResponseReasoning | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    user: str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


# Fields that are read, or that ask for nothing Oxide would have to pass on.
_READ = frozenset({*ResponsesBody.__struct_fields__, *_REFUSED, "truncation", "include", "stream_options"}) - {"user"}


def read(raw: object) -> ResponsesBody:
    """Raises `BodyError`."""
    body = decoding.body(raw, ResponsesBody, lenient=True)
    for name, advice in _REFUSED.items():
        if isinstance(raw, Mapping) and raw.get(name):
            raise BodyError(f"{name}: {advice}")
    for i, tool in enumerate(body.tools or ()):
        if tool.type != "function":
            raise BodyError(f"tools[{i}]: Oxide runs no tools itself: send functions, not {tool.type!r}.")
    return body


def task_request(body: ResponsesBody, raw: Any = MappingProxyType({})) -> TaskRequest:
    """`raw` is what `body` was read from. Raises `BodyError` and `names.ModelNotFoundError`."""
    named = names.resolve(body.model or ANY_SERVICE)
    messages = tuple(_messages(body))
    if not messages:
        raise BodyError("input is empty: say what is to be answered.")
    text_format = body.text.format if body.text else None
    return TaskRequest(
        chat=ChatRequest(
            model=named.model,
            messages=messages,
            max_tokens=body.max_output_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            presence_penalty=body.presence_penalty,
            frequency_penalty=body.frequency_penalty,
            tools=tuple(_tools(body)),
            tool_choice=_tool_choice(body),
            parallel_tool_calls=body.parallel_tool_calls if body.tools else None,
            json_schema=_json_schema(text_format),
            json_object=bool(text_format and text_format.type == "json_object"),
            effort=effort(body.reasoning.effort) if body.reasoning else "",
            native=Native("responses", raw, translated=_READ),
        ),
        task_type=named.task_type,
        service=named.service,
    )


def _messages(body: ResponsesBody) -> Iterator[Message]:
    if body.instructions:
        yield Message("system", (TextPart(body.instructions),))
    if isinstance(body.input, str):
        if body.input:
            yield Message("user", (TextPart(body.input),))
        return
    yield from _joined(_item(item, f"input[{i}]") for i, item in enumerate(body.input))


def _joined(messages: Iterable[Message | None]) -> Iterator[Message]:
    """What an assistant said and the tools that it called, one item each here, are one turn everywhere else."""
    turn: Message | None = None
    for message in messages:
        if message is None:
            continue
        if turn and turn.role == message.role == "assistant":
            turn = Message("assistant", turn.parts + message.parts, turn.tool_calls + message.tool_calls)
            continue
        if turn:
            yield turn
        turn = message
    if turn:
        yield turn


def _item(item: Mapping[str, Any], path: str) -> Message | None:
    """One item as a message; None for thoughts, which only the model that had them can use."""
    match item.get("type", "message"):
        case "message":
            role = _ROLES.get(text_of(item, "role", path))
            if role is None:
                raise BodyError(f"{path}.role must be one of {', '.join(_ROLES)}.")
            return Message(role, tuple(_parts(item.get("content"), f"{path}.content")))
        case "function_call":
            arguments = item.get("arguments")
            text = arguments if isinstance(arguments, str) else arguments_text(arguments)
            return Message(
                "assistant", tool_calls=(ToolCall(item.get("call_id") or "", text_of(item, "name", path), text),)
            )
        case "function_call_output":
            output = item.get("output")
            if not (isinstance(output, str) or _is_parts(output)):  # a tool may answer with any JSON
                output = "" if output is None else orjson.dumps(output).decode()
            return Message("tool", tuple(_parts(output, f"{path}.output")), tool_call_id=item.get("call_id") or "")
        case "reasoning":
            return None
    raise BodyError(
        f"{path}.type: Oxide takes message, function_call, function_call_output and reasoning, not {item['type']!r}."
    )


def _is_parts(output: Any) -> bool:
    return isinstance(output, list) and all(isinstance(part, Mapping) and "type" in part for part in output)


def _parts(content: Any, path: str) -> Iterator[Part]:
    if content is None:
        return
    if isinstance(content, str):
        content = [{"type": "input_text", "text": content}] if content else []
    if not isinstance(content, list):
        raise BodyError(f"{path} must be a text or a list of parts.")
    for i, part in enumerate(content):
        yield _part(part, f"{path}[{i}]")


def _part(part: Any, path: str) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in _TEXTS:
        return TextPart(text_of(part, "text", path))
    if kind == "refusal":
        return TextPart(text_of(part, "refusal", path))
    if kind == "input_image":
        return image(text_of(part, "image_url", path), f"{path}.image_url")
    if kind == "input_file":
        return _file(part, path)
    if kind == "input_audio":
        sound = part.get("input_audio")
        where = f"{path}.input_audio"
        return media.audio(text_of(sound, "data", where), str(sound.get("format") or "wav"), f"{where}.data")
    raise BodyError(
        f"{path}.type must be input_text, output_text, refusal, input_image, input_file or input_audio, not {kind!r}."
    )


def _file(part: Mapping[str, Any], path: str) -> Part:
    # https://platform.openai.com/docs/guides/pdf-files
    name = part.get("filename") or ""
    if isinstance(part.get("file_url"), str):
        return file(name, part["file_url"], f"{path}.file_url")
    if part.get("file_id"):
        raise BodyError(f"{path}.file_id: Oxide keeps no files: send file_data or file_url.")
    return file(name, text_of(part, "file_data", path), f"{path}.file_data")


def _tools(body: ResponsesBody) -> Iterator[Tool]:
    for i, tool in enumerate(body.tools or ()):
        if not tool.name:
            raise BodyError(f"tools[{i}].name is missing: name the function.")
        parameters = tool.parameters if isinstance(tool.parameters, dict) else {}
        yield Tool(tool.name, tool.description or "", parameters, bool(tool.strict))


def _tool_choice(body: ResponsesBody) -> str:
    if isinstance(body.tool_choice, dict) and body.tool_choice.get("type") == "allowed_tools":
        raise BodyError("tool_choice: send only the tools that are allowed, and leave allowed_tools out.")
    return tool_choice(body.tool_choice)


def _json_schema(text_format: ResponseTextFormat | None) -> JsonSchema | None:
    if text_format is None or text_format.type != "json_schema":
        return None
    if not text_format.name or text_format.schema is None:
        raise BodyError("text.format: a json_schema has a name and a schema.")
    return JsonSchema(text_format.name, text_format.schema, bool(text_format.strict))
