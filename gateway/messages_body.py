"""The body of `POST /v1/messages`: https://platform.claude.com/docs/en/api/messages

What Oxide knows how to say to every provider is read into a task; a service that speaks Anthropic's own
protocol gets the body itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import orjson
from msgspec import Meta, Struct

from apikeys import decoding
from apikeys.decoding import BodyError
from gateway import names
from gateway.fields import text_of
from routing.engine import ANY_SERVICE
from services.adapters.base import (
    ChatRequest,
    Effort,
    Feature,
    FilePart,
    ImagePart,
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
from tasks.body import check_media_urls, media_url
from tasks.request import TaskRequest

# The signature of thoughts that another provider had. Anthropic would refuse it: such blocks are taken out again.
OUR_SIGNATURE = "b3hpZGU="

# Whatever else stands in a body is Anthropic's alone, and worth nothing to others or not worth a refusal.
_ANTHROPIC_ONLY = ("container", "mcp_servers", "context_management")
_THOUGHTS = ("thinking", "redacted_thinking")
# Budgets up to which little, or some, thinking is meant.
_LOW_BUDGET, _MEDIUM_BUDGET = 4_096, 16_384

Blocks = str | list[dict[str, Any]]
# What is read here of a body: a provider of another protocol gets this alone.
_TRANSLATED = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "system",
        "stream",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
    }
)


class Turn(Struct):
    role: str
    content: Blocks | None = None


class AnthropicTool(Struct):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: Any = None


class AnthropicToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Struct):
    type: str
    budget_tokens: int | None = None


class OutputFormat(Struct):
    type: str
    schema: dict[str, Any] | None = None


class OutputConfig(Struct):
    effort: str | None = None
    format: OutputFormat | None = None


class MessagesBody(Struct, kw_only=True):
    model: str | None = None
    messages: list[Turn]
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    system: Blocks | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[AnthropicTool] | None = None
    tool_choice: AnthropicToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None


def read(raw: object) -> MessagesBody:
    """Raises `BodyError`."""
    body = read_to_count(raw)
    if body.max_tokens is None:
        raise BodyError("max_tokens is missing: say how long the answer may be.")
    return body


def read_to_count(raw: object) -> MessagesBody:
    """The same where no answer is asked for, and so no limit is needed. Raises `BodyError`."""
    body = decoding.body(raw, MessagesBody, lenient=True)
    if not body.messages:
        raise BodyError("messages is empty: add a message.")
    return body


def task_request(body: MessagesBody, raw: Any, headers: Mapping[str, str]) -> TaskRequest:
    """`raw` is what `body` was read from; `headers` are the request's. Raises `BodyError` and
    `names.ModelNotFoundError`.
    """
    named = names.resolve(body.model or ANY_SERVICE)
    needed_by = _needed_by(body, raw)
    return TaskRequest(
        chat=ChatRequest(
            model=named.model,
            messages=tuple(_messages(body)),
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            top_k=body.top_k,
            stop=tuple(body.stop_sequences or ()),
            tools=tuple(_tools(body.tools or ())),
            tool_choice=_tool_choice(body.tool_choice),
            parallel_tool_calls=False if body.tool_choice and body.tool_choice.disable_parallel_tool_use else None,
            json_schema=_json_schema(body.output_config),
            effort=_effort(body),
            native=Native("anthropic", _without_our_thoughts(raw), _headers(headers), _TRANSLATED),
            needs=frozenset(needed_by),
            needed_by=needed_by,
        ),
        task_type=named.task_type,
        service=named.service,
    )


def _messages(body: MessagesBody) -> Iterator[Message]:
    if body.system:
        yield Message("system", tuple(_parts(_blocks(body.system), "system")))
    for i, message in enumerate(body.messages):
        blocks, path = _blocks(message.content), f"messages[{i}].content"
        if message.role == "assistant":
            yield Message("assistant", tuple(_parts(blocks, path)), tuple(_tool_calls(blocks, path)))
        else:
            yield from _said_to_the_model("system" if message.role == "system" else "user", blocks, path)


def _said_to_the_model(role: Role, blocks: list[dict[str, Any]], path: str) -> Iterator[Message]:
    """Each result of a tool is a message of its own; what else was said comes after them, as Anthropic has it."""
    for i, block in enumerate(blocks):
        if block.get("type") == "tool_result":
            content = _blocks(_answered(block.get("content")))
            parts = tuple(_parts(content, f"{path}[{i}].content"))
            if block.get("is_error"):
                parts = (TextPart("The tool failed: "), *parts)
            yield Message("tool", parts, tool_call_id=text_of(block, "tool_use_id", f"{path}[{i}]"))
    parts = tuple(_parts(blocks, path))
    if parts or not blocks:
        yield Message(role, parts)


def _answered(content: Any) -> Blocks:
    """What a tool has answered: blocks, or whatever else as text."""
    if isinstance(content, dict) and "type" in content:
        return [content]
    if isinstance(content, list) and all(isinstance(block, dict) and "type" in block for block in content):
        return content
    return content if isinstance(content, str) else "" if content is None else orjson.dumps(content).decode()


def _blocks(content: Blocks | None) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or []


def _parts(blocks: Iterable[dict[str, Any]], path: str) -> Iterator[Part]:
    for i, block in enumerate(blocks):
        kind = block.get("type")
        if kind == "text":
            yield TextPart(text_of(block, "text", f"{path}[{i}]"))
        elif kind == "image" and not _is_file(block):
            yield _image(block, f"{path}[{i}]")
        elif kind == "document" and _is_translated(block):
            yield from _document(block, f"{path}[{i}]")
        elif kind == "search_result":
            check_media_urls(block.get("content"), f"{path}[{i}].content")
            yield FilePart(text=_text_within(block.get("content")), name=str(block.get("title") or "search result"))
        elif kind not in (*_THOUGHTS, "tool_use", "tool_result"):
            if not str(kind).endswith("_tool_result"):  # what Anthropic's own tools have fetched already
                check_media_urls(block, f"{path}[{i}]")
            yield TextPart(f"[{kind}]")  # what the history shows of it; only a service that gets the body is asked


def _image(block: Mapping[str, Any], path: str) -> ImagePart:
    source = block.get("source")
    check_media_urls(source, f"{path}.source")
    if isinstance(source, Mapping) and source.get("type") == "url":
        return ImagePart(url=media_url(text_of(source, "url", f"{path}.source"), f"{path}.source.url"))
    data = text_of(source, "data", f"{path}.source")
    declared = source.get("media_type") if isinstance(source, Mapping) else None
    return media.image_of(declared if isinstance(declared, str) else "", data, f"{path}.source.data")


def _document(block: Mapping[str, Any], path: str) -> Iterator[Part]:
    """https://platform.claude.com/docs/en/build-with-claude/citations#document-types"""
    source, name = block.get("source"), str(block.get("title") or "")
    check_media_urls(source, f"{path}.source")
    match source:
        case {"type": "url"}:
            address = media_url(text_of(source, "url", f"{path}.source"), f"{path}.source.url")
            yield FilePart("application/pdf", url=address, name=name)
        case {"type": "text", "data": str(text)}:
            yield FilePart("text/plain", text=text, name=name)
        case {"type": "content", "content": content}:
            yield FilePart("text/plain", text=_text_within(content), name=name)
            yield from (_image(each, f"{path}.source.content") for each in _images_within(content))
        case _:
            kind = source.get("media_type") if isinstance(source, Mapping) else ""
            data = text_of(source, "data", f"{path}.source")
            yield media.file(name, data, f"{path}.source.data", str(kind or "application/pdf"))


def _text_within(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else ()
    return "\n".join(
        block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)
    )


def _images_within(content: Any) -> list[dict[str, Any]]:
    blocks = content if isinstance(content, list) else ()
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == "image"]


def _tool_calls(blocks: Iterable[dict[str, Any]], path: str) -> Iterator[ToolCall]:
    for i, block in enumerate(blocks):
        if block.get("type") == "tool_use":
            name, identity = (text_of(block, key, f"{path}[{i}]") for key in ("name", "id"))
            yield ToolCall(identity, name, arguments_text(block.get("input")))


def _tools(tools: Iterable[AnthropicTool]) -> Iterator[Tool]:
    for tool in tools:
        if tool.type in (None, "custom"):
            schema = tool.input_schema
            yield Tool(tool.name, tool.description or "", schema if isinstance(schema, dict) else {})


def _tool_choice(choice: AnthropicToolChoice | None) -> str:
    match choice:
        case None:
            return ""
        case AnthropicToolChoice(type="tool", name=name) if name:
            return name
        case AnthropicToolChoice(type="tool"):
            raise BodyError("tool_choice.name is missing: name the tool.")
        case AnthropicToolChoice(type="any"):
            return "required"
    return choice.type if choice.type in ("auto", "none") else ""


def _json_schema(config: OutputConfig | None) -> JsonSchema | None:
    if config is None or config.format is None or config.format.type != "json_schema":
        return None
    return JsonSchema("answer", config.format.schema or {})


def _effort(body: MessagesBody) -> Effort | Literal[""]:
    if body.thinking and body.thinking.type == "disabled":
        return "none"
    match body.output_config and body.output_config.effort:
        case "low" | "medium" | "high" | "xhigh" | "max" as effort:
            return effort
    budget = body.thinking and body.thinking.budget_tokens
    if not budget:
        return ""
    return "low" if budget <= _LOW_BUDGET else "medium" if budget <= _MEDIUM_BUDGET else "high"


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in ("anthropic-version", "anthropic-beta") if name in headers}


def _without_our_thoughts(raw: Any) -> Any:
    """The body without the thoughts that we showed as blocks and Anthropic never had, nor turns of nothing else."""
    messages = [_without_ours(message) for message in raw["messages"]]
    if all(kept is message for kept, message in zip(messages, raw["messages"], strict=True)):
        return raw
    said = zip(messages, raw["messages"], strict=True)
    return {**raw, "messages": [message for message, before in said if message is before or message["content"]]}


def _without_ours(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list) or not any(block.get("signature") == OUR_SIGNATURE for block in content):
        return message
    return {**message, "content": [block for block in content if block.get("signature") != OUR_SIGNATURE]}


def _needed_by(body: MessagesBody, raw: Mapping[str, Any]) -> dict[Feature, str]:
    """What only an Anthropic service can do of it, with the fields that ask for it."""
    fields = ", ".join(_anthropic_only(body, raw))
    return {Feature.ANTHROPIC: fields} if fields else {}


def _anthropic_only(body: MessagesBody, raw: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in _ANTHROPIC_ONLY if raw.get(name))
    yield from (f"tools[{i}]" for i, tool in enumerate(body.tools or ()) if tool.type not in (None, "custom"))
    for i, message in enumerate(body.messages):
        if message.role not in ("user", "assistant", "system"):
            yield f"messages[{i}].role"
        for j, block in enumerate(_blocks(message.content)):
            inner = _blocks(_answered(block.get("content"))) if block.get("type") == "tool_result" else []
            if not all(map(_is_translated, (block, *inner))):
                yield f"messages[{i}].content[{j}]"


_TRANSLATED_BLOCKS = ("text", "image", "document", "search_result", "tool_use", "tool_result", *_THOUGHTS)


def _is_translated(block: Mapping[str, Any]) -> bool:
    if block.get("type") == "document":
        source = block.get("source")
        return isinstance(source, Mapping) and bool({"url", "data", "content"} & source.keys())
    return block.get("type") in _TRANSLATED_BLOCKS and not _is_file(block)


def _is_file(block: Mapping[str, Any]) -> bool:
    """A picture that was uploaded to Anthropic beforehand."""
    source = block.get("source")
    return block.get("type") == "image" and isinstance(source, Mapping) and source.get("type") == "file"
