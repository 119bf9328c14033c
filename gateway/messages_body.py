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
from services.adapters.base import (
    ChatRequest,
    Effort,
    Feature,
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


class Turn(Struct):
    role: Literal["user", "assistant", "system"]
    content: Blocks


class AnthropicTool(Struct):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None


class AnthropicToolChoice(Struct):
    type: Literal["auto", "any", "tool", "none"]
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


class MessagesBody(Struct):
    model: str
    messages: list[Turn]
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    system: Blocks | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
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
    body = decoding.body(raw, MessagesBody)
    if not body.messages:
        raise BodyError("messages is empty: add a message.")
    return body


def task_request(body: MessagesBody, raw: Any, headers: Mapping[str, str]) -> TaskRequest:
    """`raw` is what `body` was read from; `headers` are the request's. Raises `BodyError` and
    `names.ModelNotFoundError`.
    """
    named = names.resolve(body.model)
    return TaskRequest(
        chat=ChatRequest(
            model=named.model,
            messages=tuple(_messages(body)),
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            stop=tuple(body.stop_sequences or ()),
            tools=tuple(_tools(body.tools or ())),
            tool_choice=_tool_choice(body.tool_choice),
            parallel_tool_calls=False if body.tool_choice and body.tool_choice.disable_parallel_tool_use else None,
            json_schema=_json_schema(body.output_config),
            effort=_effort(body),
            native=Native("anthropic", _without_our_thoughts(raw), _headers(headers)),
            needs=frozenset(_needs(body, raw)),
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
            yield from _said_to_the_model(message.role, blocks, path)


def _said_to_the_model(role: Role, blocks: list[dict[str, Any]], path: str) -> Iterator[Message]:
    """Each result of a tool is a message of its own; what else was said comes after them, as Anthropic has it."""
    for i, block in enumerate(blocks):
        if block.get("type") == "tool_result":
            content = _blocks(block.get("content") or "")
            parts = tuple(_parts(content, f"{path}[{i}].content"))
            if block.get("is_error"):
                parts = (TextPart("The tool failed: "), *parts)
            yield Message("tool", parts, tool_call_id=text_of(block, "tool_use_id", f"{path}[{i}]"))
    if parts := tuple(_parts(blocks, path)):
        yield Message(role, parts)


def _blocks(content: Blocks) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def _parts(blocks: Iterable[dict[str, Any]], path: str) -> Iterator[Part]:
    for i, block in enumerate(blocks):
        kind = block.get("type")
        if kind == "text":
            yield TextPart(text_of(block, "text", f"{path}[{i}]"))
        elif kind == "image" and not _is_file(block):
            yield _image(block, f"{path}[{i}]")
        elif kind not in (*_THOUGHTS, "tool_use", "tool_result"):
            if kind == "document" and isinstance(source := block.get("source"), Mapping):
                check_media_urls(source, f"{path}[{i}].source")
            yield TextPart(f"[{kind}]")  # what the history shows of it; only a service that gets the body is asked


def _image(block: Mapping[str, Any], path: str) -> ImagePart:
    source = block.get("source")
    if isinstance(source, Mapping) and source.get("type") == "url":
        return ImagePart(url=media_url(text_of(source, "url", f"{path}.source"), f"{path}.source.url"))
    data = text_of(source, "data", f"{path}.source")
    return ImagePart(media_type=text_of(source, "media_type", f"{path}.source"), data=data)


def _tool_calls(blocks: Iterable[dict[str, Any]], path: str) -> Iterator[ToolCall]:
    for i, block in enumerate(blocks):
        if block.get("type") == "tool_use":
            name, identity = (text_of(block, key, f"{path}[{i}]") for key in ("name", "id"))
            yield ToolCall(identity, name, orjson.dumps(block.get("input") or {}).decode())


def _tools(tools: Iterable[AnthropicTool]) -> Iterator[Tool]:
    for tool in tools:
        if tool.type in (None, "custom"):
            yield Tool(tool.name, tool.description or "", tool.input_schema or {})


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
    return choice.type


def _json_schema(config: OutputConfig | None) -> JsonSchema | None:
    if config is None or config.format is None or config.format.type != "json_schema":
        return None
    return JsonSchema("answer", config.format.schema or {})


def _effort(body: MessagesBody) -> Effort | Literal[""]:
    if body.thinking and body.thinking.type == "disabled":
        return "none"
    match body.output_config and body.output_config.effort:
        case "low" | "medium" | "high" as effort:
            return effort
        case "xhigh" | "max":
            return "high"
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
    return {**raw, "messages": [message for message in messages if message["content"]]}


def _without_ours(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, str) or not any(block.get("signature") == OUR_SIGNATURE for block in content):
        return message
    return {**message, "content": [block for block in content if block.get("signature") != OUR_SIGNATURE]}


def _needs(body: MessagesBody, raw: Mapping[str, Any]) -> Iterator[Feature]:
    blocks = [block for message in body.messages for block in _blocks(message.content)]
    results = [block.get("content") for block in blocks if block.get("type") == "tool_result"]
    blocks += [inner for content in results if isinstance(content, list) for inner in content]
    if (
        any(raw.get(name) for name in _ANTHROPIC_ONLY)
        or any(tool.type not in (None, "custom") for tool in body.tools or ())
        or any(block.get("type") not in _TRANSLATED or _is_file(block) for block in blocks)
    ):
        yield Feature.ANTHROPIC


_TRANSLATED = ("text", "image", "tool_use", "tool_result", *_THOUGHTS)


def _is_file(block: Mapping[str, Any]) -> bool:
    """A picture that was uploaded to Anthropic beforehand."""
    source = block.get("source")
    return block.get("type") == "image" and isinstance(source, Mapping) and source.get("type") == "file"
