"""Ollama's own protocol: https://docs.ollama.com/api/chat"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import msgspec

from services.adapters.arrived import StreamReader
from services.adapters.base import (
    ChatRequest,
    Delta,
    EmbeddingRequest,
    Embeddings,
    ErrorKind,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    ReasoningDelta,
    Reply,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from services.adapters.failure import Failure, ReportedError
from services.adapters.http import HttpAdapter
from services.adapters.ollama_usage import ollama_usage
from services.adapters.wire import (
    arguments_object,
    arguments_text,
    embedded,
    finished,
    function_tool,
    make_call_id,
    require_answer,
    texts_of,
    tool_names,
)


class _Function(msgspec.Struct):
    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Answer(msgspec.Struct):
    """A whole answer, or in a stream a piece of one."""

    message: _Message | None = None
    model: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None


class _EmbeddingList(msgspec.Struct):
    embeddings: list[tuple[float, ...]]
    model: str | None = None
    prompt_eval_count: Any = None


# What a request may set beside what Oxide has words for: https://docs.ollama.com/modelfile#valid-parameters-and-values
_RUNTIME_OPTIONS: Final = frozenset(
    {
        "num_ctx",
        "num_keep",
        "num_batch",
        "num_gpu",
        "num_thread",
        "main_gpu",
        "use_mmap",
        "min_p",
        "typical_p",
        "repeat_last_n",
        "repeat_penalty",
        "draft_num_predict",
    }
)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_KNOWN_REASONS: Final = frozenset({"stop", "length", "load", "unload"})
_EMBEDDINGS: Final = msgspec.json.Decoder(_EmbeddingList)


class OllamaAdapter(HttpAdapter):
    """`base_url` is that of the server, as in http://localhost:11434

    Option `keep_alive` is how long a model stays in memory after a call, as Ollama writes it: "10m". Option `num_ctx`
    is the length of the context in tokens: the server's own default is short, and it cuts longer prompts off silently.
    A request may say otherwise, with `num_ctx` or any other of Ollama's options.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {**HttpAdapter.OPTIONS, "keep_alive": None, "num_ctx": None}
    SENT_AS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "max_tokens": ("options.num_predict",),
        "effort": ("think",),
        **{name: (f"options.{name}",) for name in ("temperature", "top_p", "top_k", "seed", "stop")},
        **{name: (f"options.{name}",) for name in ("presence_penalty", "frequency_penalty", *_RUNTIME_OPTIONS)},
    }
    ROOT = "/api"
    ENDPOINTS = ("/api/chat", "/api/generate", "/api/tags", "/api/embed")
    OWN_FIELDS = HttpAdapter.OWN_FIELDS | _RUNTIME_OPTIONS
    MODELS_PATH = "/tags"

    def headers(self) -> dict[str, str]:
        # A local server asks for none; ollama.com does. https://docs.ollama.com/api/authentication
        return {"Authorization": f"Bearer {self.connection.api_key}"} if self.connection.api_key else {}

    def chat_path(self, request: ChatRequest, *, stream: bool) -> str:  # noqa: ARG002
        return "/chat"

    def body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        request = self.prepared(request)
        names = tool_names(request.messages)
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [self._message(message, names) for message in request.messages],
            "stream": stream,  # left out it means true
        }
        asked = _asked_beside(request)
        if options := self._settings(request, asked):
            body["options"] = options
        if request.tools and request.tool_choice != "none":
            self._refuse_forced_tools(request)
            body["tools"] = [function_tool(tool) for tool in request.tools]
        if request.json_schema:
            body["format"] = dict(request.json_schema.schema)
        elif request.json_object:
            body["format"] = "json"
        for name, own in (("think", _think(request)), ("keep_alive", self.options["keep_alive"])):
            wanted = asked.get(name)
            if (value := own if wanted is None else wanted) is not None:
                body[name] = value
        return body

    def _settings(self, request: ChatRequest, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The service's own length of context, what the request says, and what it says in Ollama's words."""
        named = asked.get("options")
        layers: tuple[Mapping[str, Any], ...] = (
            {"num_ctx": self.options["num_ctx"]},
            _options(request),
            {name: value for name, value in asked.items() if name in _RUNTIME_OPTIONS},
            named if isinstance(named, Mapping) else {},
        )
        # Null in a later one says nothing.
        return {name: value for layer in layers for name, value in layer.items() if value is not None}

    def embedding_path(self, request: EmbeddingRequest) -> str:  # noqa: ARG002
        return "/embed"

    def embedding_body(self, request: EmbeddingRequest) -> dict[str, Any]:
        # https://docs.ollama.com/api/embed
        body: dict[str, Any] = {"model": request.model, "input": texts_of(request, self.connection.service)}
        return body if request.dimensions is None else body | {"dimensions": request.dimensions}

    def parse_embeddings(self, content: bytes, request: EmbeddingRequest) -> Embeddings:
        answer = _EMBEDDINGS.decode(content)
        usage = ollama_usage({"prompt_eval_count": answer.prompt_eval_count})
        return embedded(request, answer.model or request.model, answer.embeddings, usage)

    def parse_reply(self, content: bytes, request: ChatRequest) -> Reply:
        answer = _ANSWER.decode(content)
        _raise_error(answer)
        if answer.message is None:
            raise msgspec.ValidationError("there is no message in it")
        reply = Reply(
            model=answer.model or request.model,
            text=answer.message.content or "",
            reasoning=answer.message.thinking or "",
            tool_calls=tuple(map(_tool_call, answer.message.tool_calls or ())),
        )
        _require_answer(reply, answer.done_reason)
        return finished(reply, request, _finish_reason(answer), ollama_usage(_counts(answer)))

    def figures(self, payload: dict[str, Any]) -> Usage | None:
        return ollama_usage(payload)

    def reader(self, request: ChatRequest) -> StreamReader:
        return _Reader(request)

    def _message(self, message: Message, names: Mapping[str, str]) -> dict[str, Any]:
        result: dict[str, Any] = {"role": message.role, "content": self._text(message)}
        if message.images:
            result["images"] = [self._image(image) for image in message.images]
        if message.tool_calls:
            result["tool_calls"] = [
                {"function": {"name": call.name, "arguments": arguments_object(call.arguments)}}
                for call in message.tool_calls
            ]
        if message.role == "tool":
            # Ollama knows its calls by name: https://docs.ollama.com/capabilities/tool-calling
            result["tool_name"] = names[message.tool_call_id]
        return result

    def _text(self, message: Message) -> str:
        if any(isinstance(part, FilePart) for part in message.attachments):
            raise self.error(
                ErrorKind.UNSUPPORTED, "speaks Ollama's protocol, which takes no documents. Send their text."
            )
        return message.text

    def _image(self, image: ImagePart) -> str:
        if image.url:
            raise self.error(
                ErrorKind.UNSUPPORTED,
                "speaks Ollama's protocol, which takes no image by its address. Send it as base64 data.",
            )
        return image.data

    def _refuse_forced_tools(self, request: ChatRequest) -> None:
        if request.tool_choice not in ("", "auto"):
            raise self.error(
                ErrorKind.UNSUPPORTED,
                'speaks Ollama\'s protocol, which cannot force a tool call. Use tool_choice "auto" or another service.',
            )


class _Reader(StreamReader):
    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request, ollama_usage)
        self._calls = 0

    def feed(self, event: bytes) -> Iterator[Delta]:
        answer = _ANSWER.decode(event)
        _raise_error(answer)
        self.model = answer.model or self.model
        if answer.message:
            yield from self._feed_message(answer.message)
        if answer.done:
            self.meter.add(_counts(answer))
            self.finish = _finish_reason(answer)
            self.is_over = True
            _require_answer(self.so_far, answer.done_reason)

    def _feed_message(self, message: _Message) -> Iterator[Delta]:
        if message.thinking:
            yield ReasoningDelta(message.thinking)
        if message.content:
            yield TextDelta(message.content)
        for each in message.tool_calls or ():  # they come whole
            call = _tool_call(each)
            yield ToolCallDelta(self._calls, call.id, call.name, call.arguments)
            self._calls += 1


def _options(request: ChatRequest) -> dict[str, Any]:
    # https://docs.ollama.com/modelfile#valid-parameters-and-values
    options = {
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "stop": [stop for stop in request.stop if stop] or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _asked_beside(request: ChatRequest) -> Mapping[str, Any]:
    """What the request says in Ollama's own words: in a body of OpenAI's, or as parameters of a task."""
    if request.native is None:
        return request.extra
    return {**request.native.body, **request.extra} if request.extra else request.native.body


def _think(request: ChatRequest) -> bool | str | None:
    """Whether to think; None leaves that to the model, since one that cannot refuses to be asked to.

    Only gpt-oss lets one say how much, and it cannot do without: https://docs.ollama.com/capabilities/thinking
    """
    if "gpt-oss" in request.model and request.effort:
        return _GRADES[request.effort]
    return False if request.effort == "none" else None


_GRADES: Final = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


def _tool_call(call: _ToolCall) -> ToolCall:
    return ToolCall(call.id or make_call_id(), call.function.name, arguments_text(call.function.arguments))


def _require_answer(reply: Reply, reason: str | None) -> None:
    if reason and reason not in _KNOWN_REASONS:
        require_answer(reply, reason)


def _finish_reason(answer: _Answer) -> FinishReason:
    return "length" if answer.done_reason == "length" else "stop"


def _counts(answer: _Answer) -> dict[str, Any]:
    return {"prompt_eval_count": answer.prompt_eval_count, "eval_count": answer.eval_count}


def _raise_error(answer: _Answer) -> None:
    # Within a stream the status stays 200: https://docs.ollama.com/api/errors
    if answer.error:
        raise ReportedError(Failure.within({"error": answer.error}))
