"""The contract between Oxide and every provider: what goes in, what comes out, how it fails.

Everything here is plain Python. A provider is one subclass of `Adapter` that says how its
vendor's wire format differs; nothing outside `services/adapters/` knows a vendor's field names.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Literal

from services.adapters import quoting
from services.adapters.call import Call
from services.adapters.context_length import Figures
from services.adapters.network import DIRECT, Network
from services.text import storable

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Protocol = Literal["openai", "anthropic", "responses"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Feature(enum.StrEnum):
    """Something a request may need and not every provider can do.

    `OPENAI` and `ANTHROPIC` stand for what only a provider of that protocol can be asked at all:
    several answers to one request, log probabilities; tools of the vendor's own, files stored there.
    """

    TOOLS = "tools"
    IMAGES = "images"
    FILES = "files"
    AUDIO = "audio"
    IMAGE_OUTPUT = "image_output"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    EMBEDDINGS = "embeddings"
    COMPLETIONS = "completions"  # to continue texts as OpenAI's older API does, which a chat cannot do
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image: either base64 `data` with its `media_type`, or a `url` that the provider fetches."""

    media_type: str = ""
    data: str = ""
    url: str = ""

    @property
    def address(self) -> str:
        """Its `url`, or one that holds the data."""
        return self.url or f"data:{self.media_type};base64,{self.data}"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document or a recording: base64 `data` with its `media_type`, a `url` that the provider fetches, or `text`.

    `text` is the content of a document that is text; every provider can be sent it.
    """

    media_type: str = ""
    data: str = ""
    url: str = ""
    text: str = ""
    name: str = ""

    @property
    def is_audio(self) -> bool:
        return self.media_type.startswith("audio/")

    @property
    def as_text(self) -> str:
        """The text with its name above it, for a protocol without documents."""
        return f"[{self.name}]\n{self.text}\n" if self.name else self.text


Part = TextPart | ImagePart | FilePart


def _text_of(part: Part) -> str:
    if isinstance(part, TextPart):
        return part.text
    return part.as_text if isinstance(part, FilePart) and part.text else ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants called. `arguments` is a JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `tool_calls` stand on assistant turns, `tool_call_id` on the tool turn answering one."""

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""

    @property
    def text(self) -> str:
        """All that is text in it, documents included."""
        return "".join(map(_text_of, self.parts))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    @property
    def attachments(self) -> tuple[ImagePart | FilePart, ...]:
        """What cannot be said as text: images, recordings, and documents that are not text."""
        return tuple(part for part in self.parts if not isinstance(part, TextPart) and not _text_of(part))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is its JSON Schema, which the model keeps to where `strict`."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The shape the answer must have."""

    name: str
    schema: Mapping[str, Any]
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Native:
    """A request as its client wrote it, for a provider of the same protocol.

    Such a provider gets `body` as it is, but for the model and what a stream needs, and its answer
    goes back as it came. `headers` are the client's that belong to the protocol. `translated` are the
    fields of the body that a `ChatRequest` also holds: a provider of another protocol gets these alone.
    No provider is asked in the protocol of OpenAI's Responses, which is translated always.
    """

    protocol: Protocol
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    translated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked of a provider.

    `tool_choice` is "auto", "none", "required" or the name of one tool. `json_object` asks for any
    JSON object, where `json_schema` asks for one of a certain shape. `effort` is how much a model
    is to think before it answers; empty, that is left to it. `extra` holds parameters that Oxide
    does not interpret: they are laid over the provider's request body as they are. `needs` are
    features beside those that can be seen from the rest; `needed_by` names the fields that need them.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str = ""
    parallel_tool_calls: bool | None = None
    json_schema: JsonSchema | None = None
    json_object: bool = False
    effort: Effort | Literal[""] = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    native: Native | None = None
    needs: frozenset[Feature] = frozenset()
    needed_by: Mapping[Feature, str] = field(default_factory=dict)

    @property
    def features(self) -> frozenset[Feature]:
        needed = set(self.needs)
        if self.tools:
            needed.add(Feature.TOOLS)
        if self.json_schema:
            needed.add(Feature.JSON_SCHEMA)
        if self.json_object:
            needed.add(Feature.JSON_OBJECT)
        for message in self.messages:
            if len(message.parts) != 1 or not isinstance(message.parts[0], TextPart):
                needed.update(map(_needed_for, message.attachments))
        return frozenset(needed)


def _needed_for(part: ImagePart | FilePart) -> Feature:
    if isinstance(part, ImagePart):
        return Feature.IMAGES
    return Feature.AUDIO if part.is_audio else Feature.FILES


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts, or texts as the model's own tokens, to be turned into vectors of `dimensions` numbers.

    `extra` holds what else the client asks for in OpenAI's protocol, for a provider of the same.
    """

    model: str
    inputs: tuple[str, ...] | tuple[tuple[int, ...], ...]
    dimensions: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, in one convention whatever the vendor's own.

    `prompt_tokens` includes those read from and written to a cache, `completion_tokens` includes
    reasoning ones, `cache_write_tokens` includes those written for an hour.
    `reported` is false where the provider said nothing and the counts are an estimate.
    `cost` is in US dollars, and only where the provider itself said what it charged;
    `estimated_cost` is what it only estimates. `searches` are web searches with a fee of their own.

    `terms` are pairs that change the price of the tokens, named as in the price table:
    ("service_tier", "flex"), ("processing", "batch"), ("speed", "fast"), ("inference_geo", "us").
    `modalities` are parts of the counts that may have another price, such as ("input_audio", 120);
    before the underscore stands input, cached or output, after it audio, image or video.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    reported: bool = True
    cost: Decimal | None = None
    estimated_cost: Decimal | None = None
    cache_write_1h_tokens: int = 0
    searches: int = 0
    terms: tuple[tuple[str, str], ...] = ()
    modalities: tuple[tuple[str, int], ...] = ()

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def details(self) -> dict[str, int | str] | None:
        """What else decides the price, by name, as it is kept; None of most calls."""
        if not (self.terms or self.modalities or self.searches or self.cache_write_1h_tokens):
            return None
        counts = {"cache_write_1h_tokens": self.cache_write_1h_tokens, "searches": self.searches}
        by_kind = {f"{kind}_tokens": tokens for kind, tokens in self.modalities}
        return {name: tokens for name, tokens in (counts | by_kind).items() if tokens} | dict(self.terms)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `model` is the one that really answered, as the provider names it.

    `native` is the provider's own JSON, where it was asked in its own protocol (`Native`). `vectors`
    are what texts were turned into, where that was asked. `images` are those that the model drew.
    """

    model: str
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    images: tuple[ImagePart, ...] = field(default=(), repr=False)
    finish_reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)
    native: bytes | None = field(default=None, repr=False)
    vectors: tuple[tuple[float, ...], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each input, in their order."""

    model: str
    vectors: tuple[tuple[float, ...], ...]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call at `index`: `id` and `name` come once, `arguments` in fragments."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class ImageDelta:
    """A whole image that the model drew."""

    image: ImagePart


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event of every stream that ended well."""

    reason: FinishReason
    usage: Usage
    model: str


Delta = TextDelta | ReasoningDelta | ToolCallDelta | ImageDelta


@dataclass(frozen=True, slots=True)
class Verbatim:
    """An event as a provider sent it that was asked in its own protocol, and what it says in ours."""

    event: bytes
    deltas: tuple[Delta, ...] = ()


StreamEvent = Delta | Verbatim | Finish


class ErrorKind(enum.StrEnum):
    """Why a call failed; decides whether Oxide tries again, tries elsewhere or tells the caller."""

    CONNECT = "connect"  # no response: refused, unknown host, TLS, reset
    TIMEOUT = "timeout"  # the deadline came first
    RATE_LIMITED = "rate_limited"  # 429
    OVERLOADED = "overloaded"  # 529
    SERVER = "server"  # 5xx, 408, 409, 425
    BROKEN = "broken"  # the connection broke within the response
    MALFORMED = "malformed"  # an answer that is not what the protocol says
    AUTH = "auth"  # our key was refused
    QUOTA = "quota"  # our account is empty
    MODEL_NOT_FOUND = "model_not_found"
    UNSUPPORTED = "unsupported"  # this provider cannot do what was asked
    BAD_REQUEST = "bad_request"  # the caller's mistake
    CONTEXT_LENGTH = "context_length"  # the caller's prompt is too long
    CANCELLED = "cancelled"  # the caller went away or said stop


_TRANSIENT = frozenset(
    {
        ErrorKind.CONNECT,
        ErrorKind.TIMEOUT,
        ErrorKind.RATE_LIMITED,
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER,
        ErrorKind.BROKEN,
        ErrorKind.MALFORMED,
    }
)
_CALLERS = frozenset({ErrorKind.BAD_REQUEST, ErrorKind.CANCELLED})


@dataclass(frozen=True, slots=True)
class VendorError:
    """An error in the provider's own words, with keys masked; each field is empty where the provider sent none."""

    message: str
    type: str = ""
    code: str = ""
    param: str = ""


class ProviderError(Exception):
    """A call that a provider did not answer as asked.

    `message` is safe to show: it never holds a key. `status` is the provider's HTTP status, or
    None. `retry_after` is in seconds, as the provider asked. `partial` is what had arrived of the
    answer, so that it can be kept and paid for. `vendor` is the error as the provider reported it,
    None where it reported none, and `advice` what the operator or caller can do about it.
    `context` holds the numbers of a complaint that the prompt is too long.
    `lacks_operation` tells that the operation (chat, embeddings, …) is not available: "service" for
    every model of the service, "model" for the model asked.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        partial: Reply | None = None,
    ) -> None:
        # Here and once: a provider's words end up in rows, and a database may refuse some characters.
        self.message = storable(message)
        super().__init__(self.message)
        self.kind = kind
        self.status = status
        self.retry_after = retry_after
        self.partial = partial
        self.vendor: VendorError | None = None
        self.advice = ""
        self.context = Figures()
        self.lacks_operation: Literal["", "service", "model"] = ""

    @property
    def vendor_message(self) -> str:
        return self.vendor.message if self.vendor else ""

    @property
    def permanent(self) -> bool:
        """Whether the same call to the same service would fail again."""
        return self.kind not in _TRANSIENT

    @property
    def is_callers(self) -> bool:
        """Whether no other service is to be tried: the request itself is at fault, or withdrawn."""
        return self.kind in _CALLERS

    @property
    def shows_ill_health(self) -> bool:
        """Whether it says something about the service rather than about this request or the rate of requests."""
        is_refusal = self.status is not None and 400 <= self.status < 500
        return self.kind in _TRANSIENT and self.kind is not ErrorKind.RATE_LIMITED and not is_refusal


Method = Literal["GET", "HEAD", "POST", "OPTIONS"]


@dataclass(frozen=True, slots=True)
class Probe:
    """How a service is to be checked. An empty `path` stands for the protocol's own list of models.

    A `path` with a slash in front begins at the server's root, another one at the service's base URL.
    """

    path: str = ""
    method: Method = "GET"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a service that is there brought to light.

    `models` is what it lists; empty where that is not known. `list_problem` says why the list could not be read, in a
    sentence that begins with the service's name; "" where it could, or was not asked for.
    """

    models: tuple[str, ...] = ()
    list_problem: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where and how one service is reached: all that an adapter may know of its configuration.

    `options` are the vendor's own settings, named in each adapter's `OPTIONS`. `other_keys` gives the
    keys of today and of before, of all services, which a provider's words must not show either.
    `api_key_env` is the variable in which a program looks for its key.
    """

    service: str
    base_url: str = ""
    command: tuple[str, ...] = ()
    api_key: str = field(default="", repr=False)
    api_key_env: str = ""
    max_connections: int = 16
    max_reply_bytes: int = 32 * 1024 * 1024
    options: Mapping[str, Any] = field(default_factory=dict)
    other_keys: Callable[[], Iterable[str]] = field(default=tuple, repr=False)
    network: Network = DIRECT

    def without_key(self, text: str) -> str:
        """What a provider said, fit to be shown: some quote the key that they refuse, or another one."""
        return quoting.without((self.api_key, *self.network.secrets, *self.other_keys()), text)


class Adapter(ABC):
    """Speaks one provider's protocol.

    Instances live as long as the service's configuration stays the same, so that connections are
    reused, and are called from many threads at once. Every method ends within `call.deadline`
    and soon after `call.cancel` is set, and raises `ProviderError` and nothing else.
    """

    FEATURES: ClassVar[frozenset[Feature]] = frozenset()
    PROTOCOL: ClassVar[Protocol | None] = None  # whose `Native` requests it takes
    OPTIONS: ClassVar[Mapping[str, Any]] = {}  # option → its default; `None` where unset means "leave out"

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.options: Mapping[str, Any] = {**self.OPTIONS, **connection.options}

    @abstractmethod
    def complete(self, request: ChatRequest, call: Call) -> Reply:
        """Ask and wait for the whole answer."""

    @abstractmethod
    def stream(self, request: ChatRequest, call: Call) -> Iterator[StreamEvent]:
        """Ask and yield the answer as it comes: deltas (each within a `Verbatim` where the request is
        native to this provider), then one `Finish`.

        An iterator that ends without `Finish` does not happen: a stream that breaks raises.
        Closing the iterator closes the connection.
        """

    def embed(self, request: EmbeddingRequest, call: Call) -> Embeddings:  # noqa: ARG002
        """Turn texts into vectors."""
        raise ProviderError(
            ErrorKind.UNSUPPORTED, f"{self.connection.service} makes no embeddings. Use another service."
        )

    def count_tokens(self, request: ChatRequest, call: Call) -> int | None:  # noqa: ARG002
        """How long the prompt is, as the provider counts. Never a paid call; None where it offers no count."""
        return None

    @abstractmethod
    def models(self, call: Call) -> list[str]:
        """The names of the models on offer. Never a paid call."""

    def check(self, call: Call, probe: Probe = Probe()) -> Checked:  # noqa: ARG002 - frozen
        """Find out, without paying for it, whether the service is there and takes our key.

        Raises `ProviderError` only where calls cannot succeed either: no connection, no answer in time, a rejected
        key. Any other answer shows that the service is there.
        """
        return Checked(tuple(self.models(call)))

    def close(self) -> None:  # noqa: B027 - most adapters hold nothing to let go of
        """Let go of idle connections."""
