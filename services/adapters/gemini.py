"""Google's Gemini API: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec

from services.adapters.arrived import StreamReader
from services.adapters.base import (
    ChatRequest,
    Delta,
    EmbeddingRequest,
    Embeddings,
    FinishReason,
    ImagePart,
    Message,
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
from services.adapters.failure import Failure, ReportedError
from services.adapters.gemini_usage import gemini_usage, with_searches
from services.adapters.http import HttpAdapter
from services.adapters.pause import seconds
from services.adapters.usage import read_whole
from services.adapters.wire import (
    arguments_object,
    embedded,
    finished,
    make_call_id,
    parameters_schema,
    texts_of,
    tool_name,
)

# https://ai.google.dev/api/generate-content#FinishReason
_FILTERED: Final = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"}
)
# Gemini 3 refuses calls that come back without the signature it gave them. A conversation in Oxide
# may have begun at another provider, and this is the value documented for calls that have none:
# https://ai.google.dev/gemini-api/docs/thought-signatures
_NO_SIGNATURE: Final = "skip_thought_signature_validator"
_ENDPOINT: Final = re.compile(r"/models(/[^/]+)?$")
_USED: Final = {"generateContent", "embedContent"}
_VERSION: Final = re.compile(r"gemini-(\d+)(?:\.(\d+))?-(pro)?")
_BUDGETS: Final = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24_576}
_LEAST_BUDGET_OF_PRO: Final = 128


class _Call(msgspec.Struct):
    name: str
    args: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str = ""
    thought: bool = False
    function_call: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    grounding_metadata: Any = None

    @property
    def parts(self) -> list[_Part]:
        return (self.content and self.content.parts) or []


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    """A whole answer, or in a stream a piece of one."""

    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Any = None
    model_version: str | None = None
    error: Any = None

    @property
    def candidate(self) -> _Candidate | None:
        return self.candidates[0] if self.candidates else None

    @property
    def is_blocked(self) -> bool:
        return bool(self.prompt_feedback and self.prompt_feedback.block_reason)


class _Model(msgspec.Struct, rename="camel"):
    name: str
    supported_generation_methods: list[str] = []


class _Models(msgspec.Struct):
    models: list[_Model] = []


class _Vector(msgspec.Struct):
    values: tuple[float, ...]


class _EmbeddingList(msgspec.Struct):
    embeddings: list[_Vector]


class _Count(msgspec.Struct, rename="camel"):
    total_tokens: int


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_MODELS: Final = msgspec.json.Decoder(_Models)
_EMBEDDINGS: Final = msgspec.json.Decoder(_EmbeddingList)
_COUNT: Final = msgspec.json.Decoder(_Count)


class GeminiAdapter(HttpAdapter):
    """`base_url` is https://generativelanguage.googleapis.com, with or without /v1beta."""

    ROOT = "/v1beta"
    MODELS_PATH = "/models?pageSize=1000"
    OPTIONS: ClassVar[Mapping[str, Any]] = HttpAdapter.OPTIONS
    OWN_FIELDS = frozenset({"model", "contents", "stream"})

    def _without_endpoint(self, address: str) -> str:
        return _ENDPOINT.sub("", address)

    def headers(self) -> dict[str, str]:
        # The protocol also takes the key in the address, from where it would get into logs.
        return {"x-goog-api-key": self.connection.api_key} if self.connection.api_key else {}

    def chat_path(self, request: ChatRequest, *, stream: bool) -> str:
        return _path(request.model, "streamGenerateContent?alt=sse" if stream else "generateContent")

    def embedding_path(self, request: EmbeddingRequest) -> str:
        return _path(request.model, "batchEmbedContents")

    def embedding_body(self, request: EmbeddingRequest) -> dict[str, Any]:
        # https://ai.google.dev/api/embeddings#method:-models.batchembedcontents
        one: dict[str, Any] = {"model": f"models/{request.model.removeprefix('models/')}"}
        if request.dimensions is not None:
            one["outputDimensionality"] = request.dimensions
        texts = texts_of(request, self.connection.service)
        return {"requests": [{**one, "content": {"parts": [{"text": text}]}} for text in texts]}

    def parse_embeddings(self, content: bytes, request: EmbeddingRequest) -> Embeddings:
        answer = _EMBEDDINGS.decode(content)  # it counts no tokens
        return embedded(request, request.model, (vector.values for vector in answer.embeddings), None)

    def count_tokens(self, request: ChatRequest, call: Call) -> int | None:
        # https://ai.google.dev/api/tokens
        whole = {"model": f"models/{request.model.removeprefix('models/')}", **self.body(request, stream=False)}
        with self._explaining(call):
            asked = self._post(lambda: _path(request.model, "countTokens"), {"generateContentRequest": whole})
            return _COUNT.decode(self._exchange(asked, call).content).total_tokens

    def body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:  # noqa: ARG002
        body: dict[str, Any] = {"contents": _contents(request)}
        if system := [{"text": each.text} for each in request.messages if each.role == "system" and each.text]:
            body["systemInstruction"] = {"parts": system}
        if config := _generation_config(request):
            body["generationConfig"] = config
        return body | _tools(request)

    def parse_reply(self, content: bytes, request: ChatRequest) -> Reply:
        answer = _ANSWER.decode(content)
        _raise_error(answer)
        if answer.candidate is None and not answer.is_blocked:
            raise msgspec.ValidationError("there is no candidate in it")
        parts = answer.candidate.parts if answer.candidate else []
        reply = Reply(
            model=answer.model_version or request.model,
            text="".join(part.text for part in parts if not part.thought),
            reasoning="".join(part.text for part in parts if part.thought),
            tool_calls=tuple(_tool_call(part.function_call) for part in parts if part.function_call),
        )
        usage = read_whole(_counted(answer), gemini_usage)
        return finished(reply, request, _finish_reason(answer) or "stop", usage)

    def figures(self, payload: dict[str, Any]) -> Usage | None:
        return read_whole(payload.get("usageMetadata"), gemini_usage)

    def reader(self, request: ChatRequest) -> StreamReader:
        return _Reader(request)

    def parse_models(self, content: bytes) -> list[str]:
        models = _MODELS.decode(content).models
        useful = [model for model in models if _USED & set(model.supported_generation_methods)]
        return [model.name.removeprefix("models/") for model in useful]

    def pause_of(self, failure: Failure) -> float | None:
        return failure.retry_after if failure.retry_after is not None else _retry_delay(failure.payload)


class _Reader(StreamReader):
    """The protocol has no mark for its end: the stream just ends, after a finish reason."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request, gemini_usage)
        self._calls = 0

    def feed(self, event: bytes) -> Iterator[Delta]:
        answer = _ANSWER.decode(event)
        _raise_error(answer)
        self.model = answer.model_version or self.model
        self.meter.add(_counted(answer))
        for part in answer.candidate.parts if answer.candidate else []:
            yield from self._feed_part(part)
        self.finish = _finish_reason(answer) or self.finish

    def _feed_part(self, part: _Part) -> Iterator[Delta]:
        if part.text:
            yield ReasoningDelta(part.text) if part.thought else TextDelta(part.text)
        if part.function_call:  # it comes whole
            call = _tool_call(part.function_call)
            yield ToolCallDelta(self._calls, call.id, call.name, call.arguments)
            self._calls += 1


def _counted(answer: _Answer) -> Any:
    grounding = answer.candidate.grounding_metadata if answer.candidate else None
    return with_searches(answer.usage_metadata, grounding, answer.model_version) if grounding else answer.usage_metadata


def _path(model: str, method: str) -> str:
    return f"/models/{quote(model.removeprefix('models/'), safe='')}:{method}"


def _contents(request: ChatRequest) -> list[dict[str, Any]]:
    """The turns without the system's. Answers to tool calls made in one turn go back in one turn."""
    turns: list[dict[str, Any]] = []
    for message in request.messages:
        role = "model" if message.role == "assistant" else "user"
        parts = [] if message.role == "system" else _parts(message, request)
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        elif parts:
            turns.append({"role": role, "parts": parts})
    return turns


def _parts(message: Message, request: ChatRequest) -> list[dict[str, Any]]:
    if message.role == "tool":
        # What a function answers is an object; up to version 2.5 it holds no pictures, so they stand beside it.
        return [_function_response(message, request), *map(_part, message.images)]
    parts = [_part(part) for part in message.parts if not isinstance(part, TextPart) or part.text]
    return parts + [
        {
            "functionCall": {"id": call.id, "name": call.name, "args": arguments_object(call)},
            "thoughtSignature": _NO_SIGNATURE,
        }
        for call in message.tool_calls
    ]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"text": text}
        case ImagePart(media_type, _, url) if url:
            return {"fileData": {"fileUri": url} | ({"mimeType": media_type} if media_type else {})}
        case ImagePart(media_type, data):
            return {"inlineData": {"mimeType": media_type, "data": data}}


def _function_response(message: Message, request: ChatRequest) -> dict[str, Any]:
    name = tool_name(request, message.tool_call_id)
    return {"functionResponse": {"id": message.tool_call_id, "name": name, "response": _as_object(message.text)}}


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
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "stopSequences": list(request.stop) or None,
        "thinkingConfig": _thinking(request) or None,
        "responseMimeType": "application/json" if request.json_object else None,
    }
    if request.json_schema:
        # `responseSchema` would take but a part of JSON Schema: https://ai.google.dev/gemini-api/docs/structured-output
        config |= {"responseMimeType": "application/json", "responseJsonSchema": dict(request.json_schema.schema)}
    return {name: value for name, value in config.items() if value is not None}


def _thinking(request: ChatRequest) -> dict[str, Any]:
    """How much to think: a budget for version 2.5, a level since 3. https://ai.google.dev/gemini-api/docs/thinking

    Earlier ones do not think, and 2.5 Pro does not stop thinking. Of the levels only "low" and "high" are known to
    every model.
    """
    named = _VERSION.match(request.model.removeprefix("models/"))
    version = (int(named[1]), int(named[2] or 0)) if named else (0, 0)
    if version < (2, 5) or not request.effort:
        return {}
    if version < (3, 0):
        least = _LEAST_BUDGET_OF_PRO if named and named[3] else 0
        return {"thinkingBudget": max(least, _BUDGETS[request.effort])}
    level = {"medium": None, "high": "high"}.get(request.effort, "low")
    return {"thinkingLevel": level} if level else {}


def _tools(request: ChatRequest) -> dict[str, Any]:
    # https://ai.google.dev/gemini-api/docs/function-calling
    if not request.tools:
        return {}
    declarations = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": parameters_schema(tool)}
        for tool in request.tools
    ]
    result: dict[str, Any] = {"tools": [{"functionDeclarations": declarations}]}
    if request.tool_choice:
        result["toolConfig"] = {"functionCallingConfig": _calling_config(request.tool_choice)}
    return result


def _calling_config(tool_choice: str) -> dict[str, Any]:
    match tool_choice:
        case "auto" | "none":
            return {"mode": tool_choice.upper()}
        case "required":
            return {"mode": "ANY"}
        case name:
            return {"mode": "ANY", "allowedFunctionNames": [name]}


def _tool_call(call: _Call) -> ToolCall:
    return ToolCall(call.id or make_call_id(), call.name, bytes(call.args).decode())


def _finish_reason(answer: _Answer) -> FinishReason | None:
    """None while the provider has not said."""
    if answer.is_blocked:
        return "content_filter"
    reason = answer.candidate.finish_reason if answer.candidate else None
    if reason == "MAX_TOKENS":
        return "length"
    if reason in _FILTERED:
        return "content_filter"
    return "stop" if reason else None


def _retry_delay(payload: Any) -> float | None:
    """The pause in a google.rpc.RetryInfo, as in "retryDelay": "34.5s"."""
    if isinstance(payload, list):
        payload = payload[0] if payload else None
    error = payload.get("error") if isinstance(payload, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else []:
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return seconds(delay.removesuffix("s"))
    return None


def _raise_error(answer: _Answer) -> None:
    if answer.error:
        raise ReportedError(Failure.within({"error": answer.error}))
