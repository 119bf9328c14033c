"""A request in Oxide's terms as a body of Anthropic's Messages: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from services.adapters import claude, json_text
from services.adapters.base import ChatRequest, FilePart, ImagePart, Message, Part, TextPart, Tool
from services.adapters.schemas import closed_schema, object_schema
from services.adapters.wire import arguments_object

# The least budget is the vendor's: https://platform.claude.com/docs/en/build-with-claude/extended-thinking
LEAST_BUDGET: Final = 1024
_BUDGETS: Final = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
_LEAST_TOP_P_WITH_THINKING: Final = 0.95
# The protocol wants a user's turn: https://github.com/BerriAI/litellm/issues/13769
_BEGIN: Final = "Begin."
_GO_ON: Final = "Go on."
PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_FORCED: Final = ("", "auto", "none")


class UntranslatableError(Exception):
    """The protocol has no form for a part of the request. The message is worded to follow the service's name."""


def body(request: ChatRequest, default_max_tokens: int) -> dict[str, Any]:
    """Everything but `stream`. Raises `UntranslatableError`."""
    thinking = _thinking(request)
    limit = request.max_tokens or default_max_tokens + int(thinking.get("budget_tokens", 0))
    result: dict[str, Any] = {"model": request.model, "max_tokens": limit, "messages": _messages(request)}
    if system := "\n\n".join(_system(request)):
        result["system"] = system
    if thinking:
        result["thinking"] = thinking
    return result | _settings(request, is_thinking=bool(thinking)) | _tools(request)


def asks_in_words(request: ChatRequest) -> bool:
    """Whether JSON is asked for in the system prompt, since the model has no setting for it."""
    return request.json_object or bool(request.json_schema and not claude.keeps_schemas(request.model))


def _system(request: ChatRequest) -> Iterator[str]:
    for message in request.messages:
        if message.role == "system" and message.text.strip():
            yield message.text
    if asks_in_words(request):
        yield json_text.instruction(request)


def _messages(request: ChatRequest) -> list[dict[str, Any]]:
    """The turns without the system's. Neighbours of one role become one turn, and the first is the user's."""
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [] if message.role == "system" else _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if turns and turns[-1]["role"] == "assistant":
        _end_with_assistant(turns, request.model)
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, _user(_BEGIN))
    return turns


def _end_with_assistant(turns: list[dict[str, Any]], model: str) -> None:
    if not claude.takes_prefill(model):
        turns.append(_user(_GO_ON))
    elif (last := turns[-1]["content"][-1])["type"] == "text":
        # "final assistant content cannot end with trailing whitespace"
        turns[-1]["content"][-1] = {**last, "text": last["text"].rstrip()}


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _blocks(message: Message) -> list[dict[str, Any]]:
    # Text of white space alone is refused: https://github.com/LibreChat-AI/agents/pull/124
    parts = [_block(part) for part in message.parts if not isinstance(part, TextPart) or part.text.strip()]
    if message.role == "tool":
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        return [result | {"content": parts} if parts else result]
    if message.role == "assistant":  # an assistant's turn holds no pictures and documents
        parts = [block for block in parts if block["type"] == "text"]
    return parts + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call.arguments)}
        for call in message.tool_calls
    ]


def _block(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(media_type, data, url):
            if not url and media_type not in PICTURES:
                raise UntranslatableError(f"takes no {media_type} images. Send JPEG, PNG, GIF or WebP.")
            return {"type": "image", "source": _source(url, media_type, data)}
        case FilePart() as file:
            return _document(file)


def _document(file: FilePart) -> dict[str, Any]:
    # https://platform.claude.com/docs/en/build-with-claude/pdf-support
    if file.text:
        source: dict[str, Any] = {"type": "text", "media_type": "text/plain", "data": file.text}
    elif file.url or file.media_type == "application/pdf":
        source = _source(file.url, file.media_type, file.data)
    else:
        raise UntranslatableError(f"takes no {file.media_type or 'unknown'} files. Send a PDF, or text.")
    return {"type": "document", "source": source} | ({"title": file.name} if file.name else {})


def _source(url: str, media_type: str, data: str) -> dict[str, Any]:
    return {"type": "url", "url": url} if url else {"type": "base64", "media_type": media_type, "data": data}


def _thinking(request: ChatRequest) -> dict[str, Any]:
    """Whether to think, for models that have to be told. Not beside what they refuse together with it."""
    if request.effort in ("", "none") or request.tool_choice not in _FORCED:
        return {}
    if claude.thinks_adaptively(request.model):
        return {"type": "adaptive"}
    if not claude.thinks_by_budget(request.model) or _is_within_tool_use(request.messages):
        return {}
    budget = _BUDGETS[request.effort]
    if request.max_tokens:  # the limit holds for thoughts and answer together
        budget = min(budget, request.max_tokens - max(request.max_tokens // 4, 1))
    return {"type": "enabled", "budget_tokens": budget} if budget >= LEAST_BUDGET else {}


def _is_within_tool_use(messages: Iterable[Message]) -> bool:
    """Whether the last turn of the assistant called tools: with a budget it would have to begin with its thoughts."""
    turns = [message for message in messages if message.role in ("user", "assistant")]
    return bool(turns and turns[-1].tool_calls)


def _settings(request: ChatRequest, *, is_thinking: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "stop_sequences": [stop for stop in request.stop if stop.strip()] or None,
        "output_config": _output_config(request) or None,
    }
    if claude.takes_sampling(request.model):
        settings |= _sampling(request, is_thinking=is_thinking)
    return {name: value for name, value in settings.items() if value is not None}


def _sampling(request: ChatRequest, *, is_thinking: bool) -> dict[str, Any]:
    top_p, top_k, temperature = request.top_p, request.top_k, request.temperature
    if is_thinking:
        # https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility
        temperature, top_k = None, None
        top_p = top_p if top_p is not None and top_p >= _LEAST_TOP_P_WITH_THINKING else None
    if temperature is not None:
        # Both together are refused since Opus 4.1, and more than 1 always:
        # https://platform.claude.com/docs/en/about-claude/models/migration-guide
        temperature, top_p = max(0.0, min(temperature, 1.0)), None
    return {"temperature": temperature, "top_p": top_p, "top_k": top_k}


def _output_config(request: ChatRequest) -> dict[str, Any]:
    # https://platform.claude.com/docs/en/build-with-claude/structured-outputs and /effort
    config: dict[str, Any] = {}
    is_claude = claude.version(request.model) is not None  # other servers of the protocol have rules of their own
    if request.json_schema and not asks_in_words(request):
        schema = dict(request.json_schema.schema)
        config["format"] = {"type": "json_schema", "schema": closed_schema(schema) if is_claude else schema}
    if request.effort and claude.takes_effort(request.model):
        config["effort"] = _effort(request)
    return config


def _effort(request: ChatRequest) -> str:
    # Newer models refuse to do without thinking, so "none" is the least as well.
    found = {"none": "low", "minimal": "low"}.get(request.effort, request.effort)
    version = claude.version(request.model)
    if found in ("xhigh", "max") and (version is None or version < (4, 7)):
        return "high"  # earlier models know neither, or only one of them
    return found


def _tools(request: ChatRequest) -> dict[str, Any]:
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
    if not request.tools:
        return {}
    result: dict[str, Any] = {"tools": [_tool(tool) for tool in request.tools]}
    if request.tool_choice:
        result["tool_choice"] = _tool_choice(request.tool_choice)
    if request.parallel_tool_calls is False and request.tool_choice != "none":
        result["tool_choice"] = {"type": "auto", **result.get("tool_choice", {}), "disable_parallel_tool_use": True}
    return result


def _tool(tool: Tool) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "input_schema": object_schema(tool.parameters)}


def _tool_choice(choice: str) -> Mapping[str, str]:
    match choice:
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
        case name:
            return {"type": "tool", "name": name}
