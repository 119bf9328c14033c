"""OpenAI's chat completions, and the many servers that speak the same protocol."""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from services.adapters import openai_request
from services.adapters.arrived import StreamReader
from services.adapters.base import (
    ChatRequest,
    Checked,
    Delta,
    EmbeddingRequest,
    Embeddings,
    ErrorKind,
    Feature,
    Finish,
    ImageDelta,
    ImagePart,
    Native,
    Probe,
    ProviderError,
    ReasoningDelta,
    Reply,
    TextDelta,
    ToolCall,
    Usage,
)
from services.adapters.call import Call
from services.adapters.conversation import ANY, MISTRAL_IDS, OPENAI_IDS, Spelling
from services.adapters.estimate import completed
from services.adapters.failure import UNREADABLE, Failure, ReportedError
from services.adapters.http import HttpAdapter, rules_calls_out
from services.adapters.native_wholes import whole_completion
from services.adapters.openai_usage import openai_usage
from services.adapters.openai_variants import (
    CallPieces,
    finish_reason,
    for_clients,
    introduce,
    is_known,
    is_overload,
    piece_text,
)
from services.adapters.usage import Raw, UsageMeter, read_whole
from services.adapters.wire import arguments_text, embedded, finished, make_call_id, require_answer

_VENDORS: Final[Mapping[str, str]] = {"openai": "api.openai.com", "mistral": "api.mistral.ai"}
_MOST_STOPS: Final = 4  # at OpenAI itself: https://platform.openai.com/docs/api-reference/chat/create
_CALL_IDS: Final[Mapping[str, Spelling]] = {"openai": OPENAI_IDS, "mistral": MISTRAL_IDS, "any": ANY}
_NAMELESS: Final = "a tool call in it names no function"


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None  # a text, but some servers send the object itself


class _Custom(msgspec.Struct):
    name: str | None = None
    input: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: _Function | None = None
    custom: _Custom | None = (
        None  # a tool that takes any text: https://platform.openai.com/docs/guides/function-calling
    )

    @property
    def called(self) -> _Function:
        if self.custom:
            return _Function(self.custom.name, self.custom.input)
        return self.function or _Function()


class _Message(msgspec.Struct):
    """A whole message, or in a stream a piece of one."""

    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    reasoning: Any = None  # OpenRouter, Groq, newer vLLM
    reasoning_content: Any = None  # DeepSeek, llama.cpp, LiteLLM, older vLLM
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None  # of older servers: https://platform.openai.com/docs/deprecations
    images: Any = None  # https://openrouter.ai/docs/features/multimodal/image-generation

    @property
    def calls(self) -> list[_ToolCall]:
        return self.tool_calls or ([_ToolCall(function=self.function_call)] if self.function_call else [])

    @property
    def drawn(self) -> tuple[ImagePart, ...]:
        found = self.images if isinstance(self.images, list) else []
        return tuple(image for each in found if (image := _drawn(each)))

    @property
    def text(self) -> str:
        if isinstance(self.content, list):  # Mistral's reasoning models send parts
            return "".join(part["text"] for part in self.content if isinstance(part.get("text"), str))
        return self.content or self.refusal or ""

    @property
    def thoughts(self) -> str:
        said = (self.reasoning_content, self.reasoning)
        return next((text for text in said if isinstance(text, str) and text), "")

    @property
    def written(self) -> str:
        """All that the model wrote, to be counted."""
        functions = [call.called for call in self.calls]
        calls = "".join((function.name or "") + piece_text(function.arguments) for function in functions)
        return self.thoughts + self.text + calls


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    error: Any = None
    usage: Any = None  # as in a stream


class _ChunkChoice(msgspec.Struct):
    delta: _Message | None = None
    index: int | None = None
    finish_reason: str | None = None
    error: Any = None
    usage: Any = None  # https://platform.kimi.ai/docs/api/chat


class _Answer(msgspec.Struct):
    model: str | None = None
    usage: Any = None
    x_groq: Any = None  # holds the usage of a stream: https://console.groq.com/docs/api-reference
    service_tier: Any = None
    error: Any = None
    object: Any = None
    code: Any = None  # this and the message only where vLLM reports an error
    message: Any = None


class _Completion(_Answer):
    choices: list[_Choice] | None = None


class _Chunk(_Answer):
    choices: list[_ChunkChoice] | None = None


class _ShapeOfChoice(msgspec.Struct):
    message: dict[str, msgspec.Raw] | None = None
    delta: dict[str, msgspec.Raw] | None = None


class _Shape(msgspec.Struct):
    choices: list[_ShapeOfChoice]


class _Embedding(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _EmbeddingList(_Answer):
    data: list[_Embedding] | None = None


_COMPLETION: Final = msgspec.json.Decoder(_Completion)
_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_SHAPE: Final = msgspec.json.Decoder(_Shape)
_EMBEDDINGS: Final = msgspec.json.Decoder(_EmbeddingList)


class OpenAIAdapter(HttpAdapter):
    """`base_url` ends where "/chat/completions" is to follow, as in https://api.openai.com/v1

    Options: `max_tokens_field` is what the limit is called ("max_completion_tokens" at OpenAI itself);
    `stream_usage` says whether to ask for the usage at the end of a stream (by default, except at Mistral);
    `key_path` is an address that a health check asks too, where the list of models is open to all;
    `tool_call_ids` is whose rules the ids of tool calls have to keep: "openai", "mistral" or "any". OpenAI and
    Mistral themselves are known by their addresses; the option is for servers with the rules of one of them.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        **HttpAdapter.OPTIONS,
        "max_tokens_field": "max_tokens",
        "organization": None,
        "stream_usage": True,
        "key_path": None,
        "tool_call_ids": None,
    }
    FEATURES = HttpAdapter.FEATURES | {
        Feature.OPENAI,
        Feature.COMPLETIONS,
        Feature.FILES,
        Feature.AUDIO,
        Feature.IMAGE_OUTPUT,
    }
    PROTOCOL = "openai"
    # https://platform.openai.com/docs/api-reference/chat/create
    TOOL_NAMES = Spelling(re.compile(r"[a-zA-Z0-9_-]{1,64}"), 64)
    SENT_AS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "max_tokens": ("max_tokens", "max_completion_tokens"),
        "effort": ("reasoning_effort",),
        **{name: (name,) for name in ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "stop")},
        **{name: (name,) for name in ("tool_choice", "parallel_tool_calls")},
    }
    MODELS_PATH = "/models"
    ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/models")

    def headers(self) -> dict[str, str]:
        headers = {}
        if self.connection.api_key:
            headers["Authorization"] = f"Bearer {self.connection.api_key}"
        if self.options["organization"]:
            headers["OpenAI-Organization"] = str(self.options["organization"])
        return headers

    def chat_path(self, request: ChatRequest, *, stream: bool) -> str:  # noqa: ARG002
        return "/completions" if _continues(request) else "/chat/completions"

    def check(self, call: Call, probe: Probe = Probe()) -> Checked:  # noqa: B008 - frozen
        path = self.options["key_path"] or self._default_key_path()
        if path and self.connection.api_key and not probe.path:
            self._check_key(path, call)
        return super().check(call, probe)

    def _check_key(self, path: str, call: Call) -> None:
        try:
            with self._explaining(call):
                self._get(path, call)
        except ProviderError as error:
            if rules_calls_out(error):
                raise

    def body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        try:
            most_stops = _MOST_STOPS if self._vendor == "openai" else None
            body = openai_request.body(self.prepared(request), self._limit_field, most_stops)
            body |= openai_request.shared(request, self._vendor)
        except openai_request.UntranslatableError as error:
            raise self.error(ErrorKind.UNSUPPORTED, str(error)) from error
        return body | self._streaming(None) if stream else body

    @cached_property
    def call_ids(self) -> Spelling:
        """By the option `tool_call_ids`, or by the vendor at this address."""
        return _CALL_IDS.get(str(self.options["tool_call_ids"] or self._vendor), ANY)

    @cached_property
    def _limit_field(self) -> str:
        # OpenAI itself takes the new name for all models, the old one only for some:
        # https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens
        default = "max_completion_tokens" if self._vendor == "openai" else self.OPTIONS["max_tokens_field"]
        return str(self.connection.options.get("max_tokens_field") or default)

    @cached_property
    def _asks_for_usage(self) -> bool:
        # Mistral's streams always hold it, and to be asked is an error: https://github.com/BerriAI/litellm/issues/8978
        return bool(self.connection.options.get("stream_usage", self._vendor != "mistral"))

    @cached_property
    def _vendor(self) -> str:
        host = urlsplit(self.connection.base_url).hostname or ""
        return next((name for name, ending in _VENDORS.items() if host.endswith(ending)), "any")

    def native_body(self, native: Native, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        known = native.body if self.call_ids is ANY else openai_request.with_ids(native.body, self.call_ids)
        body = {**known, "model": request.model}
        body.pop("stream_options", None)
        body.pop("stream", None)
        if _continues(request):  # the older API has one name for its limit
            return self._without_omitted(body | (self._streaming(native.body.get("stream_options")) if stream else {}))
        limits = [body.pop(name, None) for name in ("max_completion_tokens", "max_tokens")]
        if (limit := next((each for each in limits if each is not None), None)) is not None:
            body[self._limit_field] = limit
        if stream:
            body |= self._streaming(native.body.get("stream_options"))
        return self._without_omitted(body)

    def _streaming(self, asked: Any) -> dict[str, Any]:
        """Figures are asked for always: whether the client gets to see them is not the provider's business."""
        options = dict(asked) if isinstance(asked, Mapping) else {}
        if self._asks_for_usage:
            options["include_usage"] = True
        elif self._vendor == "mistral":
            options.pop("include_usage", None)
        return {"stream": True} | ({"stream_options": options} if options else {})

    def is_whole(self, document: bytes) -> bool:
        try:
            return any(choice.message and not choice.delta for choice in _SHAPE.decode(document).choices)
        except UNREADABLE:
            return False

    def native_whole(self, events: Iterable[bytes], request: ChatRequest) -> bytes:
        return whole_completion(events, request.model)

    def native_events(self, content: bytes) -> Iterator[bytes]:
        answer = msgspec.json.decode(content)
        head = {**answer, "object": "chat.completion.chunk", "usage": None}
        for choice in answer["choices"]:
            is_text = isinstance(choice.get("text"), str)
            yield msgspec.json.encode({**head, "choices": [choice if is_text else _as_delta(choice)]})
        if answer.get("usage"):
            yield msgspec.json.encode({**head, "choices": [], "usage": answer["usage"]})

    def embedding_path(self, request: EmbeddingRequest) -> str:  # noqa: ARG002
        return "/embeddings"

    def embedding_body(self, request: EmbeddingRequest) -> dict[str, Any]:
        body = {**request.extra, "model": request.model, "input": request.inputs, "encoding_format": "float"}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return self._without_omitted(body)

    def parse_embeddings(self, content: bytes, request: EmbeddingRequest) -> Embeddings:
        answer = _EMBEDDINGS.decode(content)
        _raise_error(answer)
        found = sorted(answer.data or (), key=lambda item: item.index or 0)
        vectors = (_vector(item.embedding) for item in found)
        usage = read_whole(answer.usage, self._read_usage)
        return embedded(request, answer.model or request.model, vectors, usage)

    def parse_reply(self, content: bytes, request: ChatRequest) -> Reply:
        if _continues(request):
            return _text_reply(content, request, UsageMeter(self._read_usage))
        completion = _COMPLETION.decode(content)
        _raise_error(completion)
        if not completion.choices:
            raise msgspec.ValidationError("there is no choice in it")
        choice = completion.choices[0]
        _raise_choice_error(choice)
        reply = Reply(
            model=completion.model or request.model,
            text=choice.message.text,
            reasoning=choice.message.thoughts,
            tool_calls=tuple(map(_tool_call, choice.message.calls)),
            images=choice.message.drawn,
        )
        _require_answer(reply, choice.finish_reason)
        reason = finish_reason(choice.finish_reason)
        written = "".join(each.message.written for each in completion.choices)
        usage = completed(self._usage_of(completion), request, written)
        reply = finished(reply, request, reason, usage)
        if self._native(request) and not all(map(_is_clear, completion.choices)):
            return replace(reply, native=_cleared(content, reply))
        return reply

    def figures(self, payload: dict[str, Any]) -> Usage | None:
        names = ("usage", "x_groq", "service_tier")
        return self._usage_of(_Completion(**{name: payload.get(name) for name in names}))

    def reader(self, request: ChatRequest) -> StreamReader:
        kind = _TextReader if _continues(request) else _Reader
        return kind(request, self._read_usage)

    def _usage_of(self, completion: _Completion) -> Usage | None:
        # Nearly all answers have one usage object, and nothing to merge.
        tier = {"service_tier": completion.service_tier} if completion.service_tier else {}
        if isinstance(completion.usage, dict) and (usage := self._read_usage({**tier, **completion.usage})):
            return usage
        meter = UsageMeter(self._read_usage)
        _note_usage(completion, meter)
        for index, choice in enumerate(completion.choices or ()):
            if choice.usage:
                meter.add_choice(index, choice.usage)
        return meter.usage

    def _read_usage(self, raw: Raw) -> Usage | None:
        return openai_usage(raw, self.connection.base_url)

    def kind_of(self, failure: Failure) -> ErrorKind:
        if failure.status == 403 and "flagged" in failure.message:
            # OpenRouter's moderation; the key is good. https://openrouter.ai/docs/api/reference/errors-and-debugging
            return ErrorKind.BAD_REQUEST
        return failure.kind

    def _default_key_path(self) -> str:
        # https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key
        host = urlsplit(self.connection.base_url).hostname
        return "/key" if host == "openrouter.ai" else ""


class _Reader(StreamReader):
    """A stream ends well with [DONE], or with a finish reason where a server leaves that out."""

    def __init__(self, request: ChatRequest, read_usage: Callable[[Raw], Usage | None]) -> None:
        super().__init__(request, read_usage)
        self._calls = CallPieces()
        self._answers = _answers(request)
        self._ended_beside: set[int | None] = set()
        self._reason: str | None = None

    @property
    def end(self) -> Finish:
        if self._calls.is_waiting:
            raise msgspec.ValidationError(_NAMELESS)
        if not self.beside:
            _require_answer(self.so_far, self._reason)
        return super().end

    @property
    def is_complete(self) -> bool:
        return self.finish is not None and len(self._ended_beside) >= self._answers - 1

    def mark_done(self) -> None:
        super().mark_done()
        self.finish = self.finish or "stop"

    def feed(self, event: bytes) -> Iterator[Delta]:
        chunk = _CHUNK.decode(event)
        _raise_error(chunk)
        self.model = chunk.model or self.model
        _note_usage(chunk, self.meter)
        for choice in chunk.choices or ():
            if choice.usage:
                self.meter.add_choice(choice.index or 0, choice.usage)
            if not choice.index:  # of several answers (`n`) the first is the one
                yield from self._feed_choice(choice)
            else:
                self._feed_beside(choice)

    def _feed_beside(self, choice: _ChunkChoice) -> None:
        if choice.delta:
            self.beside += choice.delta.written
        if choice.finish_reason:
            self._ended_beside.add(choice.index)

    def _feed_choice(self, choice: _ChunkChoice) -> Iterator[Delta]:
        if choice.delta:
            if choice.delta.thoughts:
                yield ReasoningDelta(choice.delta.thoughts)
            if choice.delta.text:
                yield TextDelta(choice.delta.text)
            for call in choice.delta.calls:
                called = call.called
                piece = self._calls.piece(
                    call.index, call.id or "", called.name or "", called.arguments, is_text=call.custom is not None
                )
                if piece:
                    yield piece
            yield from map(ImageDelta, choice.delta.drawn)
        _raise_choice_error(choice)
        if choice.finish_reason:
            yield from self._calls.silent()
            self.finish, self._reason = finish_reason(choice.finish_reason), choice.finish_reason


def _answers(request: ChatRequest) -> int:
    asked = request.native.body.get("n") if request.native else None
    return asked if isinstance(asked, int) else 1


def _is_clear(choice: _Choice) -> bool:
    """Whether clients understand it as it is."""
    calls = choice.message.tool_calls or ()
    complete = all(call.id and call.type and call.called.arguments == _text_of(call) for call in calls)
    return complete and for_clients(choice.finish_reason or "stop") == choice.finish_reason


def _cleared(content: bytes, reply: Reply) -> bytes:
    """The answer with all that clients need: each call has an id, as in `reply`, a type, and a text as arguments."""
    answer = msgspec.json.decode(content)
    for place, choice in enumerate(answer["choices"]):
        choice["finish_reason"] = for_clients(choice.get("finish_reason") or "stop")
        ids = iter(call.id for call in reply.tool_calls) if place == 0 else iter(())
        for call in choice["message"].get("tool_calls") or ():
            introduce(call, next(ids, None) or call.get("id") or make_call_id())
            if called := call.get("function"):
                called["arguments"] = arguments_text(called.get("arguments"))
    return msgspec.json.encode(answer)


def _as_delta(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A whole choice as the one delta of it."""
    delta = dict(choice.get("message") or {})
    if delta.get("tool_calls"):
        delta["tool_calls"] = [{**call, "index": index} for index, call in enumerate(delta["tool_calls"])]
    return {**{name: value for name, value in choice.items() if name != "message"}, "delta": delta}


def _vector(numbers: list[float] | str) -> tuple[float, ...]:
    if isinstance(numbers, list):
        return tuple(numbers)
    try:
        data = b64decode(numbers, validate=True)  # some servers send what the SDKs ask for, whatever is asked
        return struct.unpack(f"<{len(data) // 4}f", data)
    except (ValueError, struct.error):
        raise msgspec.ValidationError("a vector in it is neither numbers nor base64") from None


def _tool_call(call: _ToolCall) -> ToolCall:
    if not call.called.name:
        raise msgspec.ValidationError(_NAMELESS)
    return ToolCall(call.id or make_call_id(), call.called.name, _text_of(call))


def _text_of(call: _ToolCall) -> str:
    # A custom tool takes any text, which need not be JSON.
    return call.custom.input or "" if call.custom else arguments_text(call.called.arguments)


def _drawn(image: Any) -> ImagePart | None:
    address = image.get("image_url") if isinstance(image, dict) else None
    url = address.get("url") if isinstance(address, dict) else address
    if not isinstance(url, str) or not url:
        return None
    head, is_data, data = url.removeprefix("data:").partition(";base64,")
    return ImagePart(head, data) if is_data and url.startswith("data:") else ImagePart(url=url)


def _note_usage(answer: _Answer, meter: UsageMeter) -> None:
    """What an answer, or a piece of one, says of its usage beside its choices."""
    if answer.service_tier:
        meter.service_tier = answer.service_tier
    if isinstance(answer.x_groq, dict):
        meter.add(answer.x_groq.get("usage"))
    if answer.usage:
        meter.add(answer.usage)


def _raise_error(answer: _Answer) -> None:
    # OpenRouter reports what fails after it began within a status of 200, vLLM in the fields beside.
    # https://openrouter.ai/docs/api/reference/errors-and-debugging
    if answer.error:
        raise ReportedError(Failure.within({"error": answer.error, "code": answer.code}))
    if answer.object == "error":
        raise ReportedError(Failure.within({"code": answer.code, "message": answer.message}))


def _require_answer(reply: Reply, reason: str | None) -> None:
    if reason and not is_known(reason):
        require_answer(reply, reason)


def _raise_choice_error(choice: _Choice | _ChunkChoice | _TextChoice) -> None:
    if is_overload(choice.finish_reason):
        raise ReportedError(Failure(None, f"It was interrupted ({choice.finish_reason})"))
    if choice.error or choice.finish_reason == "error":
        raise ReportedError(Failure.within({"error": choice.error}))


# To continue a text: https://platform.openai.com/docs/api-reference/completions


class _TextChoice(msgspec.Struct):
    """A whole choice, or in a stream a piece of one."""

    text: str | None = None
    index: int | None = None
    finish_reason: str | None = None
    error: Any = None


class _Texts(_Answer):
    choices: list[_TextChoice] | None = None


_TEXTS: Final = msgspec.json.Decoder(_Texts)


class _TextReader(_Reader):
    def feed(self, event: bytes) -> Iterator[Delta]:
        chunk = _TEXTS.decode(event)
        _raise_error(chunk)
        self.model = chunk.model or self.model
        _note_usage(chunk, self.meter)
        for choice in chunk.choices or ():
            _raise_choice_error(choice)
            if choice.index:  # of several texts the first is the one
                self.beside += choice.text or ""
                continue
            if choice.text:
                yield TextDelta(choice.text)
            if choice.finish_reason:
                self.finish = finish_reason(choice.finish_reason)


def _continues(request: ChatRequest) -> bool:
    """Whether it is no chat, but goes to `/completions` as its client wrote it."""
    return Feature.COMPLETIONS in request.needs


def _text_reply(content: bytes, request: ChatRequest, meter: UsageMeter) -> Reply:
    answer = _TEXTS.decode(content)
    _raise_error(answer)
    if not answer.choices:
        raise msgspec.ValidationError("there is no choice in it")
    choices = sorted(answer.choices, key=lambda choice: choice.index or 0)
    _raise_choice_error(choices[0])
    reply = Reply(model=answer.model or request.model, text=choices[0].text or "")
    written = "".join(choice.text or "" for choice in choices)
    _note_usage(answer, meter)
    usage = completed(meter.usage, request, written)
    return finished(reply, request, finish_reason(choices[0].finish_reason), usage)
