"""A request in Oxide's terms as a body of Gemini's: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.adapters.base import ChatRequest, Feature, FilePart, ImagePart, Message, Part, TextPart, Tool
from services.adapters.schemas import object_schema
from services.adapters.wire import arguments_object, tool_names

# Gemini 3 refuses calls that come back without the signature it gave them. A conversation in Oxide
# may have begun at another provider, and this is the value documented for calls that have none:
# https://ai.google.dev/gemini-api/docs/thought-signatures
_NO_SIGNATURE: Final = "skip_thought_signature_validator"
# Without a turn of the user's a request is refused: https://github.com/fullselfbrowsing/FSB/pull/30
_BEGIN: Final = {"role": "user", "parts": [{"text": "Begin."}]}
_VERSION: Final = re.compile(r"gemini-(\d+)(?:\.(\d+))?-(pro)?")
_BUDGETS: Final = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
_LEAST_BUDGET_OF_PRO: Final = 128
_MOST_STOPS: Final = 5  # https://ai.google.dev/api/generate-content#generationconfig


def body(request: ChatRequest) -> dict[str, Any]:
    result: dict[str, Any] = {"contents": _contents(request)}
    if system := [{"text": each.text} for each in request.messages if each.role == "system" and each.text.strip()]:
        result["systemInstruction"] = {"parts": system}
    if config := _generation_config(request):
        result["generationConfig"] = config
    return result | _tools(request)


def _contents(request: ChatRequest) -> list[dict[str, Any]]:
    """The turns without the system's. Answers to tool calls made in one turn go back in one turn."""
    turns: list[dict[str, Any]] = []
    names = tool_names(request.messages)
    for message in request.messages:
        role = "model" if message.role == "assistant" else "user"
        parts = [] if message.role == "system" else _parts(message, names)
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        elif parts:
            turns.append({"role": role, "parts": parts})
    return turns if turns and turns[0]["role"] == "user" else [_BEGIN, *turns]


def _parts(message: Message, names: Mapping[str, str]) -> list[dict[str, Any]]:
    if message.role == "tool":
        # What a function answers is an object; up to version 2.5 it holds no pictures, so they stand beside it.
        return [_function_response(message, names), *map(_part, message.attachments)]
    parts = [_part(part) for part in message.parts if not isinstance(part, TextPart) or part.text.strip()]
    return parts + [
        {
            "functionCall": {"id": call.id, "name": call.name, "args": arguments_object(call.arguments)},
            "thoughtSignature": _NO_SIGNATURE,
        }
        for call in message.tool_calls
    ]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"text": text}
        case FilePart(text=text) as file if text:
            return {"text": file.as_text}
        case ImagePart(media_type=media_type, url=url) | FilePart(media_type=media_type, url=url) if url:
            # https://ai.google.dev/gemini-api/docs/file-input-methods
            return {"fileData": {"fileUri": url} | ({"mimeType": media_type} if media_type else {})}
        case ImagePart(media_type=media_type, data=data) | FilePart(media_type=media_type, data=data):
            return {"inlineData": {"mimeType": media_type, "data": data}}


def _function_response(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    call = message.tool_call_id
    return {"functionResponse": {"id": call, "name": names[call], "response": _as_object(message.text)}}


def _as_object(text: str) -> dict[str, Any]:
    # The protocol wants an object, while a tool may answer with any text.
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {"result": text}


def _generation_config(request: ChatRequest) -> dict[str, Any]:
    config: dict[str, Any] = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "stopSequences": [stop for stop in request.stop if stop][:_MOST_STOPS] or None,
        "thinkingConfig": _thinking(request) or None,
        "responseMimeType": "application/json" if request.json_object else None,
        # https://ai.google.dev/gemini-api/docs/image-generation
        "responseModalities": ["TEXT", "IMAGE"] if Feature.IMAGE_OUTPUT in request.needs else None,
    }
    if request.json_schema:
        # `responseSchema` would take but a part of JSON Schema: https://ai.google.dev/gemini-api/docs/structured-output
        config |= {"responseMimeType": "application/json", "responseJsonSchema": dict(request.json_schema.schema)}
    return {name: value for name, value in config.items() if value is not None}


def _thinking(request: ChatRequest) -> dict[str, Any]:
    """How much to think: a budget for version 2.5, a level since 3. https://ai.google.dev/gemini-api/docs/thinking

    Earlier ones do not think, and 2.5 Pro does not stop thinking. Of the levels only "low" and "high" are known to
    every model, and "medium" to all but 3 Pro.
    """
    named = _VERSION.match(request.model.removeprefix("models/"))
    version = (int(named[1]), int(named[2] or 0)) if named else (0, 0)
    if version < (2, 5) or not request.effort:
        return {}
    is_pro = bool(named and named[3])
    if version < (3, 0):
        return {"thinkingBudget": max(_LEAST_BUDGET_OF_PRO if is_pro else 0, _BUDGETS[request.effort])}
    if request.effort == "medium":
        return {} if is_pro and version < (3, 1) else {"thinkingLevel": "medium"}
    return {"thinkingLevel": "low" if request.effort in ("none", "minimal", "low") else "high"}


def _tools(request: ChatRequest) -> dict[str, Any]:
    # https://ai.google.dev/gemini-api/docs/function-calling
    if not request.tools:
        return {}
    declarations = [_declaration(tool) for tool in request.tools]
    result: dict[str, Any] = {"tools": [{"functionDeclarations": declarations}]}
    if request.tool_choice:
        result["toolConfig"] = {"functionCallingConfig": _calling_config(request.tool_choice)}
    return result


def _declaration(tool: Tool) -> dict[str, Any]:
    # A description is required: https://ai.google.dev/api/caching#FunctionDeclaration
    described = tool.description or tool.name
    return {"name": tool.name, "description": described, "parametersJsonSchema": object_schema(tool.parameters)}


def _calling_config(tool_choice: str) -> dict[str, Any]:
    match tool_choice:
        case "auto" | "none":
            return {"mode": tool_choice.upper()}
        case "required":
            return {"mode": "ANY"}
        case name:
            return {"mode": "ANY", "allowedFunctionNames": [name]}
