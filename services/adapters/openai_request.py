"""A request in Oxide's terms as a body of OpenAI's chat completions, and a client's own body made fit for a vendor.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from services.adapters.base import ChatRequest, FilePart, ImagePart, JsonSchema, Message, Part, TextPart, Tool
from services.adapters.conversation import Spelling
from services.adapters.wire import function_tool, object_text

# Models that know more grades than "high": https://platform.openai.com/docs/guides/reasoning
_GRADED: Final = re.compile(r"gpt-(5\.([2-9]|1-codex-max)|[6-9])")
# What older ones know in place of "none" and "minimal".
_LEAST: Final = (
    (re.compile(r"(^|/)(chat)?gpt-(3|4)"), ""),
    (re.compile(r"(^|/)o[134](-|$)"), "low"),
    (re.compile(r"(^|/)gpt-5(-|$)"), "minimal"),
)
_AUDIO_FORMATS: Final = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


# Fields that Responses and chat completions share, by vendor: some refuse a request over a field they do not know.
# https://github.com/michelle-avery/openai-compatible-conversation/issues/26,
# https://github.com/strands-agents/harness-sdk/pull/3685
_SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "openai": ("user", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
    "mistral": ("prompt_cache_key",),
    "any": ("user", "service_tier"),
}


class UntranslatableError(Exception):
    """The protocol has no form for a part of the request. The message is worded to follow the service's name."""


def body(request: ChatRequest, max_tokens_field: str, most_stops: int | None = None) -> dict[str, Any]:
    """Everything but what a stream needs. Raises `UntranslatableError`."""
    result: dict[str, Any] = {"model": request.model, "messages": list(_turns(request.messages))}
    if request.max_tokens is not None:
        result[max_tokens_field] = request.max_tokens
    if stops := [stop for stop in request.stop if stop][:most_stops]:
        result["stop"] = stops
    return result | _settings(request) | _tools(request)


def shared(request: ChatRequest, vendor: str) -> dict[str, Any]:
    """The fields of a body of Responses that this vendor's chat completions have, too."""
    if request.native is None or request.native.protocol != "responses":
        return {}
    given = {name: request.native.body.get(name) for name in _SHARED[vendor]}
    return {name: value for name, value in given.items() if isinstance(value, str) and value}


def with_ids(body: Mapping[str, Any], ids: Spelling) -> Mapping[str, Any]:
    """A client's own body with ids of tool calls that the vendor takes; the same body where all of them are."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    kept = [_with_ids(message, ids) for message in messages]
    if all(new is old for new, old in zip(kept, messages, strict=True)):
        return body
    return {**body, "messages": kept}


def _with_ids(message: Any, ids: Spelling) -> Any:
    if not isinstance(message, dict):
        return message
    changes: dict[str, Any] = {}
    if isinstance(answered := message.get("tool_call_id"), str) and (fit := ids.fit(answered)) != answered:
        changes["tool_call_id"] = fit
    calls = message.get("tool_calls")
    if isinstance(calls, list) and any(_is_odd(call, ids) for call in calls):
        changes["tool_calls"] = [{**call, "id": ids.fit(call["id"])} if _is_odd(call, ids) else call for call in calls]
    return {**message, **changes} if changes else message


def _is_odd(call: Any, ids: Spelling) -> bool:
    identity = call.get("id") if isinstance(call, dict) else None
    return isinstance(identity, str) and ids.fit(identity) != identity


def _turns(messages: Iterable[Message]) -> Iterator[dict[str, Any]]:
    """The messages. What a tool says can only be text here, so its pictures follow in a turn of the user's.

    https://platform.openai.com/docs/api-reference/chat/create
    """
    for is_tools, group in groupby(messages, key=lambda each: each.role == "tool"):
        turns = list(group)
        yield from map(_message, turns)
        if is_tools and (beside := [_part(part) for turn in turns for part in turn.attachments]):
            yield {"role": "user", "content": beside}


def _message(message: Message) -> dict[str, Any]:
    result: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        result["content"] = result["content"] or None
        result["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                # Servers parse them: https://github.com/vllm-project/vllm/issues/43995
                "function": {"name": call.name, "arguments": object_text(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        result["tool_call_id"] = message.tool_call_id
    return result


def _content(message: Message) -> str | list[dict[str, Any]]:
    # Plain text where there is only that: servers exist that know nothing else.
    if message.role in ("tool", "assistant") or not message.attachments:
        return message.text
    return [_part(part) for part in message.parts]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart() as image:
            return {"type": "image_url", "image_url": {"url": image.address}}
        case FilePart() as file:
            return _file(file)


def _file(file: FilePart) -> dict[str, Any]:
    # https://platform.openai.com/docs/guides/pdf-files and /audio
    if file.text:
        return {"type": "text", "text": file.as_text}
    if file.is_audio:
        sound = {"data": file.data, "format": _AUDIO_FORMATS.get(file.media_type, file.media_type.partition("/")[2])}
        return {"type": "input_audio", "input_audio": sound}
    if file.url:
        raise UntranslatableError("takes no documents by their address. Send them as base64 data.")
    name = file.name or f"document.{file.media_type.rpartition('/')[2]}"
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{file.media_type};base64,{file.data}"}}


def _settings(request: ChatRequest) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "reasoning_effort": _effort(request) or None,
        "response_format": {"type": "json_object"} if request.json_object else None,
    }
    if request.json_schema:
        settings["response_format"] = _response_format(request.json_schema)
    return {name: value for name, value in settings.items() if value is not None}


def _effort(request: ChatRequest) -> str:
    """The grade as the model knows it; none where it does not think."""
    if request.effort in ("xhigh", "max"):
        return "xhigh" if _GRADED.search(request.model) else "high"
    if request.effort in ("none", "minimal"):
        for models, grade in _LEAST:
            if models.search(request.model):
                return grade
    return request.effort


def _response_format(schema: JsonSchema) -> dict[str, Any]:
    wanted = {"name": schema.name, "schema": dict(schema.schema), "strict": schema.strict}
    return {"type": "json_schema", "json_schema": wanted}


def _tool(tool: Tool) -> dict[str, Any]:
    described = function_tool(tool)
    if tool.strict:
        described["function"]["strict"] = True
    return described


def _tools(request: ChatRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    result: dict[str, Any] = {"tools": [_tool(tool) for tool in request.tools]}
    if request.tool_choice in ("auto", "none", "required"):
        result["tool_choice"] = request.tool_choice
    elif request.tool_choice:
        result["tool_choice"] = {"type": "function", "function": {"name": request.tool_choice}}
    if request.parallel_tool_calls is not None:
        result["parallel_tool_calls"] = request.parallel_tool_calls
    return result
