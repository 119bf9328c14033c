"""Anthropic's Messages: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

import msgspec

from services.adapters.anthropic_usage import anthropic_usage
from services.adapters.arrived import StreamReader
from services.adapters.base import (
    ChatRequest,
    Delta,
    ErrorKind,
    Feature,
    FinishReason,
    ImagePart,
    Message,
    Native,
    Part,
    ReasoningDelta,
    Reply,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from services.adapters.call import Call
from services.adapters.failure import UNREADABLE, Failure, ReportedError
from services.adapters.http import HttpAdapter
from services.adapters.native_wholes import whole_message
from services.adapters.usage import read_whole
from services.adapters.wire import arguments_object, finished, parameters_schema

# https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
_FINISH_REASONS: Final[Mapping[str | None, FinishReason]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
# An empty account answers 400: https://platform.claude.com/docs/en/api/errors
_NO_CREDIT: Final = re.compile(r"credit balance|(usage|spend(ing)?) limit", re.IGNORECASE)
# Models from before there was an effort to name: https://platform.claude.com/docs/en/build-with-claude/effort
_WITHOUT_EFFORT: Final = re.compile(
    r"claude-(?:[0-3]\b|instant|(?:opus|sonnet)-4-(?:[01]\b|\d{8})|(?:sonnet|haiku)-4-5\b)"
)


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Message(msgspec.Struct):
    content: list[_Block]
    model: str | None = None
    stop_reason: str | None = None
    usage: Any = None


class _Delta(msgspec.Struct):
    """What is new in a block, or at the end in the message."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Any = None
    error: Any = None


class _Kind(msgspec.Struct):
    type: str


class _Count(msgspec.Struct):
    input_tokens: int


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_EVENT: Final = msgspec.json.Decoder(_Event)
_MODELS: Final = msgspec.json.Decoder(_Models)
_KIND: Final = msgspec.json.Decoder(_Kind)
_COUNT: Final = msgspec.json.Decoder(_Count)
# What the address that counts tokens takes of a request.
_COUNTED: Final = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "mcp_servers"}
)


class AnthropicAdapter(HttpAdapter):
    """`base_url` is https://api.anthropic.com, with or without /v1.

    Option `default_max_tokens` is the limit where a request names none, since the protocol wants one.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        **HttpAdapter.OPTIONS,
        "version": "2023-06-01",  # https://platform.claude.com/docs/en/api/versioning
        "default_max_tokens": 4096,
    }
    FEATURES = frozenset({Feature.TOOLS, Feature.IMAGES, Feature.JSON_SCHEMA, Feature.ANTHROPIC})
    PROTOCOL = "anthropic"
    ROOT = "/v1"
    ENDPOINTS = ("/messages/count_tokens", "/messages", "/models")
    MODELS_PATH = "/models?limit=1000"

    def headers(self) -> dict[str, str]:
        headers = {"anthropic-version": str(self.options["version"])}
        if self.connection.api_key:
            headers["x-api-key"] = self.connection.api_key
        return headers

    def chat_path(self, request: ChatRequest, *, stream: bool) -> str:  # noqa: ARG002
        return "/messages"

    def body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens or self.options["default_max_tokens"],
            "messages": _messages(request),
        }
        if system := "\n\n".join(each.text for each in request.messages if each.role == "system" and each.text):
            body["system"] = system
        body |= _settings(request) | _tools(request)
        if stream:
            body["stream"] = True
        return body

    def native_body(self, native: Native, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        # In the order in which the client wrote it: what stands first decides whether a prompt is found in the cache.
        body = {**native.body, "model": request.model}
        body.pop("stream", None)
        return body | {"stream": True} if stream else body

    def is_whole(self, document: bytes) -> bool:
        try:
            return _KIND.decode(document).type == "message"
        except UNREADABLE:
            return False

    def native_whole(self, events: Iterable[bytes], request: ChatRequest) -> bytes:
        return whole_message(events, request.model)

    def native_events(self, content: bytes) -> Iterator[bytes]:
        return map(msgspec.json.encode, _as_events(msgspec.json.decode(content)))

    def count_tokens(self, request: ChatRequest, call: Call) -> int | None:
        # https://platform.claude.com/docs/en/api/messages-count-tokens
        native = self._native(request)
        whole = self.native_body(native, request, stream=False) if native else self.body(request, stream=False)
        body = {name: value for name, value in whole.items() if name in _COUNTED}
        with self._explaining(call):
            asked = self._post(lambda: "/messages/count_tokens", body, native.headers if native else {})
            return _COUNT.decode(self._exchange(asked, call).content).input_tokens

    def parse_reply(self, content: bytes, request: ChatRequest) -> Reply:
        message = _MESSAGE.decode(content)
        reply = Reply(
            model=message.model or request.model,
            text="".join(block.text for block in message.content if block.type == "text"),
            reasoning="".join(block.thinking for block in message.content if block.type == "thinking"),
            tool_calls=tuple(_tool_call(block) for block in message.content if block.type == "tool_use"),
        )
        reason = _FINISH_REASONS.get(message.stop_reason, "stop")
        return finished(reply, request, reason, read_whole(message.usage, anthropic_usage))

    def figures(self, payload: dict[str, Any]) -> Usage | None:
        return read_whole(payload.get("usage"), anthropic_usage)

    def reader(self, request: ChatRequest) -> StreamReader:
        return _Reader(request)

    def parse_models(self, content: bytes) -> list[str]:
        return [model.id for model in _MODELS.decode(content).data]

    def kind_of(self, failure: Failure) -> ErrorKind:
        out_of_credit = failure.status in (400, None) and _NO_CREDIT.search(failure.message)
        return ErrorKind.QUOTA if out_of_credit else failure.kind


def _as_events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A whole message as the events that stream it: each block in one piece."""
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message["content"]):
        empty, deltas = _as_deltas(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield from ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": message.get("stop_reason"), "stop_sequence": message.get("stop_sequence")}
    yield {"type": "message_delta", "delta": end, "usage": message.get("usage") or {}}
    yield {"type": "message_stop"}


def _as_deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How a block begins, and what follows. Those of kinds that are not known here come whole."""
    match block.get("type"):
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": block.get("text", "")}]
        case "thinking":
            signature = {"type": "signature_delta", "signature": block.get("signature", "")}
            return (
                {**block, "thinking": "", "signature": ""},
                [{"type": "thinking_delta", "thinking": block.get("thinking", "")}, signature],
            )
        case "tool_use":
            text = msgspec.json.encode(block.get("input") or {}).decode()
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": text}]
        case _:
            return block, []


class _Reader(StreamReader):
    """From `message_start` to `message_stop`: https://platform.claude.com/docs/en/build-with-claude/streaming"""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request, anthropic_usage)
        self._stop_reason: str | None = None
        self._calls: dict[int, int] = {}  # index of a block → index of the tool call
        self._silent_calls: set[int] = set()  # blocks whose arguments have not begun

    def is_news(self, event: bytes) -> bool:
        return _KIND.decode(event).type != "ping"

    def feed(self, event: bytes) -> Iterator[Delta]:
        news = _EVENT.decode(event)
        match news:
            case _Event(type="message_start", message=_Message() as message):
                self.model = message.model or self.model
                self.meter.add(message.usage)
            case _Event(type="content_block_start", content_block=_Block() as block):
                yield from self._begin(news.index, block)
            case _Event(type="content_block_delta", delta=_Delta() as delta):
                yield from self._go_on(news.index, delta)
            case _Event(type="content_block_stop") if news.index in self._silent_calls:
                yield ToolCallDelta(self._calls[news.index], arguments="{}")
            case _Event(type="message_delta", delta=_Delta() as delta):
                self._stop_reason = delta.stop_reason or self._stop_reason
                self.meter.add(news.usage)
                if self._stop_reason:  # some servers leave `message_stop` out
                    self.finish = _FINISH_REASONS.get(self._stop_reason, "stop")
            case _Event(type="message_stop"):
                self.finish = _FINISH_REASONS.get(self._stop_reason, "stop")
                self.is_over = True
            case _Event(type="error"):
                raise ReportedError(Failure.within({"error": news.error}))

    def _begin(self, index: int, block: _Block) -> Iterator[Delta]:
        if block.type == "tool_use":
            self._calls[index] = len(self._calls)
            self._silent_calls.add(index)
            yield ToolCallDelta(self._calls[index], block.id, block.name)
        else:
            yield from _said(block.text, block.thinking)

    def _go_on(self, index: int, delta: _Delta) -> Iterator[Delta]:
        yield from _said(delta.text, delta.thinking)
        if delta.partial_json and index in self._calls:
            self._silent_calls.discard(index)
            yield ToolCallDelta(self._calls[index], arguments=delta.partial_json)
        else:  # what the model wrote for a tool of the vendor's own
            self.beside += delta.partial_json


def _said(text: str, thinking: str) -> Iterator[Delta]:
    if thinking:
        yield ReasoningDelta(thinking)
    if text:
        yield TextDelta(text)


def _messages(request: ChatRequest) -> list[dict[str, Any]]:
    """The turns without the system's. Neighbours of one role become one turn, as the protocol wants."""
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [] if message.role == "system" else _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    # An empty text block is refused, so there is none.
    parts = [_block(part) for part in message.parts if not isinstance(part, TextPart) or part.text]
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": parts}]
    return parts + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call)}
        for call in message.tool_calls
    ]


def _block(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(media_type, data, url):
            source = {"type": "url", "url": url} if url else {"type": "base64", "media_type": media_type, "data": data}
            return {"type": "image", "source": source}


def _settings(request: ChatRequest) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop_sequences": list(request.stop) or None,
        "output_config": _output_config(request) or None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _output_config(request: ChatRequest) -> dict[str, Any]:
    # https://platform.claude.com/docs/en/build-with-claude/structured-outputs and /effort
    config: dict[str, Any] = {}
    if request.json_schema:
        config["format"] = {"type": "json_schema", "schema": dict(request.json_schema.schema)}
    if request.effort and not _WITHOUT_EFFORT.match(request.model):
        # Newer models refuse to do without thinking, so "none" is the least as well.
        config["effort"] = "low" if request.effort in ("none", "minimal") else request.effort
    return config


def _tools(request: ChatRequest) -> dict[str, Any]:
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
    if not request.tools:
        return {}
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": parameters_schema(tool)}
        for tool in request.tools
    ]
    result: dict[str, Any] = {"tools": tools}
    if request.tool_choice:
        result["tool_choice"] = _tool_choice(request.tool_choice)
    if request.parallel_tool_calls is False and request.tool_choice != "none":
        result["tool_choice"] = {"type": "auto", **result.get("tool_choice", {}), "disable_parallel_tool_use": True}
    return result


def _tool_choice(choice: str) -> dict[str, str]:
    match choice:
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
        case name:
            return {"type": "tool", "name": name}


def _tool_call(block: _Block) -> ToolCall:
    if not block.id or not block.name:
        raise msgspec.ValidationError("a tool call in it has no id or no name")
    return ToolCall(block.id, block.name, bytes(block.input).decode())
