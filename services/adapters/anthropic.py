"""Anthropic's Messages: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

import msgspec

from services.adapters import anthropic_native, anthropic_request, json_text
from services.adapters.anthropic_usage import anthropic_usage
from services.adapters.arrived import StreamReader
from services.adapters.base import (
    ChatRequest,
    Delta,
    ErrorKind,
    Feature,
    Finish,
    FinishReason,
    Native,
    ReasoningDelta,
    Reply,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from services.adapters.call import Call
from services.adapters.conversation import ANTHROPIC_IDS, Spelling
from services.adapters.failure import UNREADABLE, Failure, ReportedError
from services.adapters.http import HttpAdapter
from services.adapters.native_wholes import whole_message
from services.adapters.usage import read_whole
from services.adapters.wire import arguments_object, arguments_text, finished, make_call_id, require_answer

# https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
_FINISH_REASONS: Final[Mapping[str | None, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Begun(msgspec.Struct):
    """A message at the beginning of a stream."""

    model: str | None = None
    usage: Any = None


class _Message(msgspec.Struct):
    content: list[_Block] | None
    model: str | None = None
    stop_reason: str | None = None
    usage: Any = None


class _Delta(msgspec.Struct):
    """What is new in a block, or at the end in the message."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int | None = None
    message: _Begun | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Any = None
    error: Any = None


class _Kind(msgspec.Struct):
    type: str


class _Count(msgspec.Struct):
    input_tokens: int


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_EVENT: Final = msgspec.json.Decoder(_Event)
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
    FEATURES = frozenset(
        {
            Feature.TOOLS,
            Feature.IMAGES,
            Feature.FILES,
            Feature.JSON_SCHEMA,
            Feature.JSON_OBJECT,
            Feature.ANTHROPIC,
        }
    )
    PROTOCOL = "anthropic"
    CALL_IDS = ANTHROPIC_IDS
    TOOL_NAMES = Spelling(re.compile(r"[a-zA-Z0-9_-]{1,64}"), 64)
    SENT_AS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "max_tokens": ("max_tokens",),
        "temperature": ("temperature",),
        "top_p": ("top_p",),
        "top_k": ("top_k",),
        "stop": ("stop_sequences",),
        "effort": ("thinking", "output_config.effort"),
        "parallel_tool_calls": ("tool_choice.disable_parallel_tool_use",),
        "tool_choice": ("tool_choice",),
    }
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
        try:
            body = anthropic_request.body(self.prepared(request), int(self.options["default_max_tokens"]))
        except anthropic_request.UntranslatableError as error:
            raise self.error(ErrorKind.UNSUPPORTED, str(error)) from error
        return body | {"stream": True} if stream else body

    def native_body(self, native: Native, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        # In the order in which the client wrote it: what stands first decides whether a prompt is found in the cache.
        body = {**anthropic_native.repaired(native.body), "model": request.model}
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
        blocks = message.content or []
        text = "".join(block.text or "" for block in blocks if block.type == "text")
        reply = Reply(
            model=message.model or request.model,
            text=json_text.unfenced(text) if _is_json_in_words(request) else text,
            reasoning="".join(block.thinking or "" for block in blocks if block.type == "thinking"),
            tool_calls=tuple(_tool_call(block) for block in blocks if block.type == "tool_use"),
        )
        _require_answer(reply, message.stop_reason)
        reason = _FINISH_REASONS.get(message.stop_reason, "stop")
        reply = finished(reply, request, reason, read_whole(message.usage, anthropic_usage))
        if self._native(request) and not all(map(_is_clear, blocks)):
            return replace(reply, native=_cleared(content, reply))
        return reply

    def figures(self, payload: dict[str, Any]) -> Usage | None:
        return read_whole(payload.get("usage"), anthropic_usage)

    def reader(self, request: ChatRequest) -> StreamReader:
        return _Reader(request)


def _as_events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A whole message as the events that stream it: each block in one piece."""
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message.get("content") or ()):
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
        # Blocks whose arguments have not begun, with the input that they began with: some servers send all of it there.
        self._silent_calls: dict[int, str] = {}
        self._fence = json_text.Unfenced() if _is_json_in_words(request) else None

    def is_news(self, event: bytes) -> bool:
        return _KIND.decode(event).type != "ping"

    def feed(self, event: bytes) -> Iterator[Delta]:
        news = _EVENT.decode(event)
        index = news.index or 0
        match news:
            case _Event(type="message_start", message=_Begun() as message):
                self.model = message.model or self.model
                self.meter.add(message.usage)
            case _Event(type="content_block_start", content_block=_Block() as block):
                yield from self._begin(index, block)
            case _Event(type="content_block_delta", delta=_Delta() as delta):
                yield from self._go_on(index, delta)
            case _Event(type="content_block_stop") if index in self._silent_calls:
                yield ToolCallDelta(self._calls[index], arguments=self._silent_calls.pop(index))
            case _Event(type="message_delta", delta=_Delta() as delta):
                self._stop_reason = delta.stop_reason or self._stop_reason
                self.meter.add(news.usage)
                if self._stop_reason:  # some servers leave `message_stop` out
                    yield from self._end_text()
                    self.finish = _FINISH_REASONS.get(self._stop_reason, "stop")
            case _Event(type="message_stop"):
                yield from self._end_text()
                self.finish = _FINISH_REASONS.get(self._stop_reason, "stop")
                self.is_over = True
            case _Event(type="error"):
                raise ReportedError(Failure.within({"error": news.error}))

    def _begin(self, index: int, block: _Block) -> Iterator[Delta]:
        if block.type == "tool_use":
            self._calls[index] = len(self._calls)
            self._silent_calls[index] = arguments_text(block.input)
            yield ToolCallDelta(self._calls[index], block.id or make_call_id(), block.name or "")
        else:
            yield from self._said(block.text, block.thinking)

    def _go_on(self, index: int, delta: _Delta) -> Iterator[Delta]:
        yield from self._said(delta.text, delta.thinking)
        if delta.partial_json and index in self._calls:
            self._silent_calls.pop(index, None)
            yield ToolCallDelta(self._calls[index], arguments=delta.partial_json)
        else:  # what the model wrote for a tool of the vendor's own
            self.beside += delta.partial_json or ""

    def _said(self, text: str | None, thinking: str | None) -> Iterator[Delta]:
        if thinking:
            yield ReasoningDelta(thinking)
        if text and self._fence:
            text = self._fence.feed(text)
        if text:
            yield TextDelta(text)

    def _end_text(self) -> Iterator[Delta]:
        if self._fence and (rest := self._fence.rest()):
            yield TextDelta(rest)

    @property
    def end(self) -> Finish:
        if self.finish:
            _require_answer(self.so_far, self._stop_reason)
        return super().end


def _is_json_in_words(request: ChatRequest) -> bool:
    is_native = request.native is not None and request.native.protocol == AnthropicAdapter.PROTOCOL
    return not is_native and anthropic_request.asks_in_words(request)


def _require_answer(reply: Reply, stop_reason: str | None) -> None:
    if stop_reason and stop_reason not in _FINISH_REASONS:
        require_answer(reply, stop_reason)


def _is_clear(block: _Block) -> bool:
    """Whether clients understand it as it is."""
    return block.type != "tool_use" or (bool(block.id) and bytes(block.input).startswith(b"{"))


def _cleared(content: bytes, reply: Reply) -> bytes:
    """The answer with an id and an object as input for each call."""
    answer = msgspec.json.decode(content)
    called = (block for block in answer["content"] if block["type"] == "tool_use")
    for block, call in zip(called, reply.tool_calls, strict=True):
        block |= {"id": call.id, "input": arguments_object(call.arguments)}
    return msgspec.json.encode(answer)


def _tool_call(block: _Block) -> ToolCall:
    if not block.name:
        raise msgspec.ValidationError("a tool call in it has no name")
    return ToolCall(block.id or make_call_id(), block.name, arguments_text(block.input))
