"""Google's Gemini API: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec

from services.adapters import gemini_request, model_names
from services.adapters.arrived import StreamReader
from services.adapters.base import (
    ChatRequest,
    Delta,
    EmbeddingRequest,
    Embeddings,
    Feature,
    Finish,
    FinishReason,
    ImageDelta,
    ImagePart,
    ReasoningDelta,
    Reply,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from services.adapters.call import Call
from services.adapters.conversation import Spelling
from services.adapters.failure import Failure, ReportedError
from services.adapters.gemini_usage import gemini_usage, with_searches
from services.adapters.http import HttpAdapter
from services.adapters.pause import seconds
from services.adapters.usage import read_whole
from services.adapters.wire import (
    arguments_text,
    embedded,
    finished,
    make_call_id,
    require_answer,
    texts_of,
)

# https://ai.google.dev/api/generate-content#FinishReason
_ENDPOINT: Final = re.compile(r"/models(/[^/]+)?$")
_FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "STOP": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",  # Vertex AI's: https://docs.cloud.google.com/model-armor/model-armor-vertex-integration
        ),
        "content_filter",
    ),
}
_USED: Final = ("generateContent", "embedContent")


class _Call(msgspec.Struct):
    name: str
    args: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None


class _Blob(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""
    file_uri: str = ""

    @property
    def image(self) -> ImagePart:
        return ImagePart(self.mime_type, self.data, self.file_uri)


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: _Call | None = None
    inline_data: _Blob | None = None
    file_data: _Blob | None = None

    @property
    def image(self) -> ImagePart | None:
        """What the model drew. Of an image that it only thought of, nothing is kept."""
        blob = self.inline_data or self.file_data
        return blob.image if blob and not self.thought and (blob.data or blob.file_uri) else None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
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


class _Vector(msgspec.Struct):
    values: tuple[float, ...]


class _EmbeddingList(msgspec.Struct):
    embeddings: list[_Vector]


class _Count(msgspec.Struct, rename="camel"):
    total_tokens: int


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_EMBEDDINGS: Final = msgspec.json.Decoder(_EmbeddingList)
_COUNT: Final = msgspec.json.Decoder(_Count)


class GeminiAdapter(HttpAdapter):
    """`base_url` is https://generativelanguage.googleapis.com, with or without /v1beta."""

    ROOT = "/v1beta"
    MODELS_PATH = "/models?pageSize=1000"
    OPTIONS: ClassVar[Mapping[str, Any]] = HttpAdapter.OPTIONS
    OWN_FIELDS = frozenset({"model", "contents", "stream"})
    FEATURES = HttpAdapter.FEATURES | {Feature.FILES, Feature.AUDIO, Feature.IMAGE_OUTPUT}
    # https://ai.google.dev/api/caching#FunctionDeclaration
    TOOL_NAMES = Spelling(re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"), 64)
    SENT_AS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "max_tokens": ("generationConfig.maxOutputTokens",),
        "temperature": ("generationConfig.temperature",),
        "top_p": ("generationConfig.topP",),
        "top_k": ("generationConfig.topK",),
        "seed": ("generationConfig.seed",),
        "presence_penalty": ("generationConfig.presencePenalty",),
        "frequency_penalty": ("generationConfig.frequencyPenalty",),
        "stop": ("generationConfig.stopSequences",),
        "effort": ("generationConfig.thinkingConfig",),
        "tool_choice": ("toolConfig",),
    }

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
        return gemini_request.body(self.prepared(request))

    def parse_reply(self, content: bytes, request: ChatRequest) -> Reply:
        answer = _ANSWER.decode(content)
        _raise_error(answer)
        if answer.candidate is None and not answer.is_blocked:
            raise msgspec.ValidationError("there is no candidate in it")
        parts = answer.candidate.parts if answer.candidate else []
        reply = Reply(
            model=answer.model_version or request.model,
            text="".join(part.text or "" for part in parts if not part.thought),
            reasoning="".join(part.text or "" for part in parts if part.thought),
            tool_calls=tuple(_tool_call(part.function_call) for part in parts if part.function_call),
            images=tuple(image for part in parts if (image := part.image)),
        )
        _require_answer(reply, answer.candidate)
        usage = read_whole(_counted(answer), gemini_usage)
        return finished(reply, request, _finish_reason(answer) or "stop", usage)

    def figures(self, payload: dict[str, Any]) -> Usage | None:
        return read_whole(payload.get("usageMetadata"), gemini_usage)

    def reader(self, request: ChatRequest) -> StreamReader:
        return _Reader(request)

    def parse_models(self, content: bytes) -> list[str] | None:
        found = model_names.read(content, is_useful=_is_useful)
        return None if found is None else list(dict.fromkeys(name.removeprefix("models/") for name in found))

    def pause_of(self, failure: Failure) -> float | None:
        return failure.retry_after if failure.retry_after is not None else _retry_delay(failure.payload)


def _is_useful(entry: model_names.Entry) -> bool:
    """Whether a listed model answers or embeds. Other servers of this protocol may not say what theirs are for."""
    methods = entry.get("supportedGenerationMethods")
    return not isinstance(methods, list) or any(method in _USED for method in methods)


class _Reader(StreamReader):
    """The protocol has no mark for its end: the stream just ends, after a finish reason."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request, gemini_usage)
        self._calls = 0
        self._last: _Candidate | None = None  # the one that told the reason to finish

    def feed(self, event: bytes) -> Iterator[Delta]:
        answer = _ANSWER.decode(event)
        _raise_error(answer)
        self.model = answer.model_version or self.model
        self.meter.add(_counted(answer))
        for part in answer.candidate.parts if answer.candidate else []:
            yield from self._feed_part(part)
        if reason := _finish_reason(answer):
            self.finish, self._last = reason, answer.candidate

    @property
    def end(self) -> Finish:
        if self.finish:
            _require_answer(self.so_far, self._last)
        return super().end

    def _feed_part(self, part: _Part) -> Iterator[Delta]:
        if part.text:
            yield ReasoningDelta(part.text) if part.thought else TextDelta(part.text)
        if part.function_call:  # it comes whole
            call = _tool_call(part.function_call)
            yield ToolCallDelta(self._calls, call.id, call.name, call.arguments)
            self._calls += 1
        if image := part.image:
            yield ImageDelta(image)


def _counted(answer: _Answer) -> Any:
    grounding = answer.candidate.grounding_metadata if answer.candidate else None
    return with_searches(answer.usage_metadata, grounding, answer.model_version) if grounding else answer.usage_metadata


def _path(model: str, method: str) -> str:
    return f"/models/{quote(model.removeprefix('models/'), safe='')}:{method}"


def _tool_call(call: _Call) -> ToolCall:
    return ToolCall(call.id or make_call_id(), call.name, arguments_text(call.args))


def _finish_reason(answer: _Answer) -> FinishReason | None:
    """None while the provider has not said."""
    if answer.is_blocked:
        return "content_filter"
    reason = answer.candidate.finish_reason if answer.candidate else None
    return _FINISH_REASONS.get(reason, "stop") if reason else None


def _require_answer(reply: Reply, candidate: _Candidate | None) -> None:
    """MALFORMED_FUNCTION_CALL, OTHER, NO_IMAGE and reasons that come to be: without any content no answer."""
    reason = candidate.finish_reason if candidate else None
    if candidate and reason and reason not in _FINISH_REASONS:
        require_answer(reply, reason, candidate.finish_message or "")


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
