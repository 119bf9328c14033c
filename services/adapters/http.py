"""What all providers over HTTP have in common: asking, reading, and saying what went wrong.

A vendor's adapter subclasses `HttpAdapter` and says only how its wire format differs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import Any, ClassVar, Final, cast
from urllib.parse import urlsplit

import msgspec
import requests
from requests import exceptions
from requests.structures import CaseInsensitiveDict

from services.adapters import conversation, dropped, model_names, sse, tool_names
from services.adapters.arrived import CutShortError, StreamReader, WholeAnswer
from services.adapters.assembly import events_of
from services.adapters.base import (
    Adapter,
    ChatRequest,
    Checked,
    Connection,
    EmbeddingRequest,
    Embeddings,
    ErrorKind,
    Feature,
    Finish,
    Native,
    Probe,
    ProviderError,
    Reply,
    StreamEvent,
    Usage,
    VendorError,
    Verbatim,
)
from services.adapters.call import Call
from services.adapters.context_length import Figures, figures
from services.adapters.conversation import ANY, Spelling
from services.adapters.curl import AddressRefused, BrokenWithin, Cancelled, CancelledUnsent, ReplyTooLarge
from services.adapters.estimate import estimate, estimate_inputs
from services.adapters.failure import UNREADABLE, Failure, ReportedError, raise_reported, rejects_key
from services.adapters.incoming import BREAKS, Incoming
from services.adapters.pause import seconds
from services.adapters.transport import CurlStream, CurlTransport
from services.text import storable

_MESSAGE_LENGTH: Final = 500
_VENDOR_MESSAGE_LENGTH: Final = 16 * 1024
_WORD_LENGTH: Final = 200
_SETTLE_SECONDS: Final = 0.05  # between a protocol's own end of a stream and that of the HTTP body
_OK: Final = 200
_PROXY_REFUSES: Final = 407
_ERROR_BODY_BYTES: Final = 64 * 1024


class HttpAdapter(Adapter):
    """Asks over HTTP and reads JSON.

    `ROOT` is the path that every address of the API begins with; a base URL is taken with or
    without it, and with one of the `ENDPOINTS` behind it, which people copy along. `OWN_FIELDS`
    are those of the request body that `extra` may not replace. `CALL_IDS` and `TOOL_NAMES` are
    what the vendor accepts as such.

    The option `omit` names fields of the body that the service's models refuse, and that are left
    out therefore: "temperature", for some reasoning models.

    The option `context_window` says how many tokens the service's models take, as one number or by model.
    """

    FEATURES = frozenset({Feature.TOOLS, Feature.IMAGES, Feature.JSON_SCHEMA, Feature.JSON_OBJECT, Feature.EMBEDDINGS})
    OPTIONS: ClassVar[Mapping[str, Any]] = {"omit": [], "context_window": None}
    ROOT: ClassVar[str] = ""
    ENDPOINTS: ClassVar[tuple[str, ...]] = ()
    MODELS_PATH: ClassVar[str]
    OWN_FIELDS: ClassVar[frozenset[str]] = frozenset({"model", "messages", "stream"})
    CALL_IDS: ClassVar[Spelling] = ANY
    TOOL_NAMES: ClassVar[Spelling] = ANY
    SENT_AS: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # where in the body each setting stands: see `dropped`

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        address, _, self._query = connection.base_url.partition("?")
        self._root = self._without_endpoint(address.rstrip("/")).removesuffix(self.ROOT) + self.ROOT
        self._transport = CurlTransport(
            max_idle=connection.max_connections, max_body=connection.max_reply_bytes, network=connection.network
        )

    # What a vendor says.

    @abstractmethod
    def headers(self) -> dict[str, str]:
        """The headers of every request: the key, above all."""

    @abstractmethod
    def chat_path(self, request: ChatRequest, *, stream: bool) -> str: ...

    @abstractmethod
    def body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]: ...

    def native_body(self, native: Native, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """The client's own body, for a provider of its protocol (`PROTOCOL`)."""
        return {**native.body, "model": request.model, "stream": stream}

    def native_events(self, content: bytes) -> Iterator[bytes]:
        """A whole answer as the events of the stream that it might have been, in the provider's own words.

        For adapters with a `PROTOCOL`: nobody else gets a body to send on.
        """
        raise NotImplementedError

    def native_whole(self, events: Iterable[bytes], request: ChatRequest) -> bytes:
        """The events of a stream as the whole answer that it might have been. For adapters with a `PROTOCOL`."""
        raise NotImplementedError

    def is_whole(self, document: bytes) -> bool:  # noqa: ARG002
        """Whether a document is a whole answer, which `reader` does not read; False where the two look alike."""
        return False

    @abstractmethod
    def parse_reply(self, content: bytes, request: ChatRequest) -> Reply:
        """`native` is set where the client of a native request must not get the answer just as it came."""

    @abstractmethod
    def figures(self, payload: dict[str, Any]) -> Usage | None:
        """What a decoded answer says of its tokens; None where it says nothing."""

    @abstractmethod
    def reader(self, request: ChatRequest) -> StreamReader: ...

    def parse_models(self, content: bytes) -> list[str] | None:
        """The models that an answer lists; None where it is no list of models."""
        return model_names.read(content)

    # These three are for adapters that have `Feature.EMBEDDINGS`: `embed` refuses for all others.

    def embedding_path(self, request: EmbeddingRequest) -> str:
        raise NotImplementedError

    def embedding_body(self, request: EmbeddingRequest) -> dict[str, Any]:
        raise NotImplementedError

    def parse_embeddings(self, content: bytes, request: EmbeddingRequest) -> Embeddings:
        raise NotImplementedError

    def kind_of(self, failure: Failure) -> ErrorKind:
        return failure.kind

    def pause_of(self, failure: Failure) -> float | None:
        """The pause that the provider asks for, in seconds."""
        return failure.retry_after

    # What is the same for all.

    def complete(self, request: ChatRequest, call: Call) -> Reply:
        whole = WholeAnswer(request.model, lambda: estimate(request, ""), self.figures)
        with self._explaining(call, whole):
            try:
                content = self._exchange(self._chat(request, call, stream=False), call).content
            except BREAKS as error:
                return self._complete_by_then(error, request, call)
            whole.content = content
            try:
                return self._with_native(self.parse_reply(content, request), content, request)
            except UNREADABLE as error:
                return self._in_one(content, request, call, error)

    def stream(self, request: ChatRequest, call: Call) -> Iterator[StreamEvent]:
        reader = self._named_reader(request)
        with self._explaining(call, reader):
            response = self._transport.open(self._chat(request, call, stream=True), call)
            try:
                _raise_for_status(response, _chunks(response))
                yield from self._read_stream(response, reader)
            finally:
                response.close()

    def embed(self, request: EmbeddingRequest, call: Call) -> Embeddings:
        if Feature.EMBEDDINGS not in self.FEATURES:
            return super().embed(request, call)
        whole = WholeAnswer(request.model, lambda: estimate_inputs(request), self.figures)
        with self._explaining(call, whole):
            asked = self._post(lambda: self.embedding_path(request), self.embedding_body(request))
            whole.content = content = self._exchange(asked, call).content
            try:
                return self.parse_embeddings(content, request)
            except UNREADABLE:
                raise_reported(content)
                raise

    def models(self, call: Call) -> list[str]:
        with self._explaining(call):
            content = self._get(self.MODELS_PATH, call)
            found = self.parse_models(content)
            if found is None:
                raise_reported(content)
                raise msgspec.ValidationError("there is no list of models in it")
            return found

    def check(self, call: Call, probe: Probe = Probe()) -> Checked:  # noqa: B008 - frozen
        if probe.path:
            return self._check_at(probe, call)
        try:
            return Checked(tuple(self.models(call)))
        except ProviderError as error:
            if rules_calls_out(error):
                raise
            return Checked(list_problem=error.message)

    def close(self) -> None:
        self._transport.close()

    def error(self, kind: ErrorKind, message: str) -> ProviderError:
        """An error to be raised; `message` follows the name of the service."""
        return ProviderError(kind, self._fit_to_show(f"{self.connection.service} {message}"))

    def _check_at(self, probe: Probe, call: Call) -> Checked:
        """An address that was chosen to tell how the service is: there a 5xx says that it is not well."""
        request = self._prepare(probe.method, "", b"" if probe.method == "POST" else None)
        request.url = self._address(probe.path)
        try:
            with self._explaining(call):
                content = self._exchange(request, call).content
        except ProviderError as error:
            if rules_calls_out(error) or (error.status or 0) >= 500:
                raise
            return Checked()
        try:
            return Checked(tuple(self.parse_models(content) or ()))
        except UNREADABLE:
            return Checked()

    def _address(self, path: str) -> str:
        base = self.connection.base_url.partition("?")[0].rstrip("/")
        if not path.startswith("/"):
            return f"{base}/{path}"
        parts = urlsplit(base)
        return f"{parts.scheme}://{parts.netloc}{path}"

    def _read_stream(self, response: requests.Response, reader: StreamReader) -> Iterator[StreamEvent]:
        stream = cast("CurlStream", response.raw)
        incoming = Incoming(stream, reader)
        documents = iter(incoming)
        first = next(documents, None)
        if first is not None and self.is_whole(first):
            # Some servers answer as a whole though a stream was asked for.
            yield from self._in_pieces(first, reader.request)
        else:
            yield from self._read_documents(chain((first,) if first else (), documents), reader)
            if incoming.fault and not reader.is_complete:
                raise incoming.fault
            yield reader.end
        stream.settle(_SETTLE_SECONDS)

    def _read_documents(self, documents: Iterable[bytes], reader: StreamReader) -> Iterator[StreamEvent]:
        document = b""
        try:
            if self._native(reader.request):
                for document in documents:
                    deltas = tuple(reader.read(document))
                    if reader.is_news(document):
                        yield Verbatim(document, deltas)
            else:
                for document in documents:
                    yield from reader.read(document)
        except UNREADABLE:
            raise_reported(document)
            if not reader.is_complete:
                raise
        if reader.finish is None:
            raise_reported(document)

    def _in_pieces(self, content: bytes, request: ChatRequest) -> Iterator[StreamEvent]:
        reply = self.parse_reply(content, request)
        if not self._native(request):
            yield from events_of(self._named(reply, request))
            return
        reader = self.reader(request)
        for event in self.native_events(content):
            yield Verbatim(event, tuple(reader.read(event)))
        yield Finish(reply.finish_reason, reply.usage, reply.model)

    def _in_one(self, content: bytes, request: ChatRequest, call: Call, error: Exception) -> Reply:
        """The answer in a body that cannot be read as a whole: a stream, though none was asked for. Else `error`."""
        try:
            found = list(sse.documents([content]))
        except sse.NoEventsError:
            raise error from None
        documents = [each for each in found if each is not sse.DONE]
        if documents in ([], [content.strip()]):
            raise_reported(content)
            raise error
        if self.is_whole(documents[0]):
            return self._with_native(self.parse_reply(documents[0], request), documents[0], request)
        reader = self._named_reader(request)
        with self._explaining(call, reader):
            return self._assembled(documents, reader, is_done=sse.DONE in found)

    def _complete_by_then(self, error: exceptions.RequestException, request: ChatRequest, call: Call) -> Reply:
        """The answer in a stream that nobody asked for, where its connection broke or stayed open. Else `error`."""
        response = error.response
        if response is None or response.status_code != _OK or response.content.lstrip()[:1] in (b"", b"{", b"["):
            raise error
        try:
            return self._in_one(response.content, request, call, error)
        except ProviderError:
            raise error from None

    def _assembled(self, documents: Sequence[bytes], reader: StreamReader, *, is_done: bool) -> Reply:
        for _ in self._read_documents(documents, reader):
            pass
        if is_done:
            reader.mark_done()
        reply, request = reader.reply, reader.request
        if not self._native(request):
            return reply
        whole = self.native_whole(documents, request)
        return self._with_native(self.parse_reply(whole, request), whole, request)

    def _with_native(self, reply: Reply, content: bytes, request: ChatRequest) -> Reply:
        if self._native(request):
            return replace(reply, native=reply.native or content)
        return self._named(reply, request)

    def _named_reader(self, request: ChatRequest) -> StreamReader:
        reader = self.reader(request)
        if not self._native(request):
            reader.names = tool_names.originals(request, self.TOOL_NAMES)
        return reader

    def _native(self, request: ChatRequest) -> Native | None:
        native = request.native
        return native if native and native.protocol == self.PROTOCOL else None

    def _get(self, path: str, call: Call) -> bytes:
        return bytes(self._exchange(self._prepare("GET", path), call).content)

    def prepared(self, request: ChatRequest) -> ChatRequest:
        """A request to be translated, with ids, names and an order of turns that the vendor accepts."""
        messages = conversation.repaired(request.messages, self.call_ids)
        tools = {tool.name: tool for tool in request.tools}  # vendors refuse a name that comes twice
        if len(tools) < len(request.tools):
            request = replace(request, tools=tuple(tools.values()))
        choice = request.tool_choice
        if choice not in tool_names.CHOICES and tools and choice not in tools:
            raise ProviderError(
                ErrorKind.BAD_REQUEST,
                f"tool_choice names {choice!r}, which is not among the tools. Name one of these, or add it.",
            )
        if messages is not request.messages or (choice and not request.tools):
            request = replace(request, messages=messages, tool_choice=choice if request.tools else "")
        return tool_names.fitted(request, self.TOOL_NAMES)

    @property
    def call_ids(self) -> Spelling:
        return self.CALL_IDS

    def _named(self, reply: Reply, request: ChatRequest) -> Reply:
        """The reply with the tools under their own names again."""
        names = tool_names.originals(request, self.TOOL_NAMES)
        if not names or not reply.tool_calls:
            return reply
        calls = tuple(replace(each, name=names.get(each.name, each.name)) for each in reply.tool_calls)
        return replace(reply, tool_calls=calls)

    def _chat(self, request: ChatRequest, call: Call, *, stream: bool) -> requests.PreparedRequest:
        if native := self._native(request):
            body = self.native_body(native, request, stream=stream)
        else:
            body = self._without_omitted(_overlaid(self.body(request, stream=stream), request.extra, self.OWN_FIELDS))
            call.dropped.extend(dropped.fields(request, body, self.SENT_AS))
        return self._post(lambda: self.chat_path(request, stream=stream), body, native.headers if native else {})

    def _without_omitted(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name not in self.options["omit"]}

    def _post(
        self, path: Callable[[], str], body: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})
    ) -> requests.PreparedRequest:
        """`headers` are the client's."""
        _refuse_odd(headers)
        try:
            return self._prepare("POST", path(), msgspec.json.encode(body), headers)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ProviderError(
                ErrorKind.BAD_REQUEST, f"The request cannot be written down: {error}. Correct its parameters."
            ) from error

    def _prepare(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> requests.PreparedRequest:
        network = self.connection.network
        if network.problem:
            raise self.error(ErrorKind.CONNECT, network.problem)
        request = requests.PreparedRequest()
        request.method = method
        request.url = self._root + (_with_query(path, self._query) if self._query else path)
        request.headers = CaseInsensitiveDict({"User-Agent": "oxide", **self.headers(), **headers})
        if network.headers:
            request.headers.update(network.headers)
        if content is not None:
            request.headers["Content-Type"] = "application/json"
            request.body = content
        return request

    def _without_endpoint(self, address: str) -> str:
        found = next((endpoint for endpoint in self.ENDPOINTS if address.endswith(endpoint)), "")
        return address.removesuffix(found)

    def _exchange(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        response = self._transport.exchange(request, call)
        _raise_for_status(response, iter([response.content]))
        return response

    @contextmanager
    def _explaining(self, call: Call, answer: StreamReader | WholeAnswer | None = None) -> Iterator[None]:
        """The one place where what goes wrong becomes a `ProviderError`, with what had arrived."""
        try:
            yield
        except ProviderError as error:
            error.partial = error.partial or (answer.partial if answer else None)
            raise
        except _FAULTS as error:
            explained = self._explain(error, call)
            if answer:
                explained.partial = answer.partial or _prompt_alone(answer, error)
            raise explained from error

    def _explain(self, error: Exception, call: Call) -> ProviderError:
        if isinstance(error, sse.ErrorEvent):
            error = ReportedError(Failure.of_event(error.data))
        if isinstance(error, ReportedError):
            return self._explain_report(error.failure)
        if isinstance(error, exceptions.ConnectTimeout) and not call.remaining:
            error = exceptions.ReadTimeout()
        for fault, kind, text in _EXPLANATIONS:
            if isinstance(error, fault):
                return self.error(kind, text.format(error=error))
        return self.error(ErrorKind.MALFORMED, f"sent an answer that cannot be read ({error}). {_ADVICE['malformed']}")

    def _explain_report(self, failure: Failure) -> ProviderError:
        kind = self.kind_of(failure)
        said = self.connection.without_key(failure.message)
        summary = " ".join(said.split())[: _MESSAGE_LENGTH - 200]
        status = f"answered {failure.status}" if failure.status else "reported an error"
        error = self.error(kind, f"{status}{': ' + summary.rstrip('.') if summary else ''}. {_ADVICE[kind]}")
        error.status = failure.status
        error.retry_after = self.pause_of(failure)
        error.advice = _ADVICE[kind]
        error.vendor = self._vendor_error(failure, said)
        error.context = figures(failure.message, failure.payload) if kind is ErrorKind.CONTEXT_LENGTH else Figures()
        error.lacks_operation = failure.lacks_operation if kind is ErrorKind.UNSUPPORTED else ""
        return error

    def _vendor_error(self, failure: Failure, message: str) -> VendorError | None:
        if not message:
            return None
        words = (self.connection.without_key(failure.field(name))[:_WORD_LENGTH] for name in ("type", "code", "param"))
        return VendorError(storable(message[:_VENDOR_MESSAGE_LENGTH]), *map(storable, words))

    def _fit_to_show(self, text: str) -> str:
        text = self.connection.without_key(text).strip()
        return text if len(text) <= _MESSAGE_LENGTH else text[: _MESSAGE_LENGTH - 1] + "…"


def rules_calls_out(error: ProviderError) -> bool:
    """Whether a failed check shows that calls fail, too. Any other answer over HTTP shows that the service is there."""
    return rejects_key(error) or error.kind in (ErrorKind.CONNECT, ErrorKind.TIMEOUT, ErrorKind.CANCELLED)


def _prompt_alone(answer: StreamReader | WholeAnswer, error: Exception) -> Reply | None:
    """A provider that was cut short before it said anything has read the prompt, and charges for that."""
    is_cut_short = isinstance(error, exceptions.ReadTimeout | exceptions.ChunkedEncodingError | Cancelled)
    if not is_cut_short or isinstance(error, CancelledUnsent):
        return None
    return Reply(model=answer.model, usage=answer.prompt_alone)


def _refuse_odd(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ProviderError(
                ErrorKind.BAD_REQUEST, f"The header {name} holds characters that no header may hold. Leave them out."
            )


class _RedirectedError(Exception):
    """The status is 3xx."""


def _with_query(path: str, query: str) -> str:
    """The path with the query that belongs to every address. Of what both name the path's own counts."""
    path, _, own = path.partition("?")
    named = {pair.partition("=")[0] for pair in own.split("&")}
    every = [pair for pair in query.split("&") if pair.partition("=")[0] not in named]
    return f"{path}?{'&'.join(filter(None, [*every, own]))}"


def _chunks(response: requests.Response) -> Iterator[bytes]:
    return cast("CurlStream", response.raw).chunks()


def _raise_for_status(response: requests.Response, body: Iterator[bytes]) -> None:
    if response.status_code < 300:
        return
    if response.status_code < 400:
        raise _RedirectedError(response.status_code)
    if response.status_code == _PROXY_REFUSES:
        raise exceptions.ProxyError("it answered 407")
    pause = seconds(response.headers.get("Retry-After", ""))
    raise ReportedError(Failure.read(response.status_code, _beginning(body), pause))


def _beginning(chunks: Iterator[bytes]) -> bytes:
    content = b""
    for chunk in chunks:
        content += chunk
        if len(content) >= _ERROR_BODY_BYTES:
            break
    return content


def _overlaid(body: dict[str, Any], extra: Mapping[str, Any], own: frozenset[str]) -> dict[str, Any]:
    """`extra` laid over the body. Two objects are merged, so that one more option keeps the others."""
    result = dict(body)
    for name, value in extra.items():
        if name not in own:
            ours = result.get(name)
            result[name] = {**ours, **value} if isinstance(ours, dict) and isinstance(value, dict) else value
    return result


_ADVICE: Final[Mapping[str, str]] = {
    ErrorKind.CONNECT: "Check its base_url and that it is running.",
    ErrorKind.RATE_LIMITED: "Wait before the next call, or use another service.",
    ErrorKind.SERVER: "Try again later, or use another service.",
    ErrorKind.OVERLOADED: "Try again later, or use another service.",
    ErrorKind.MALFORMED: "Check that its base_url is that of the API.",
    ErrorKind.AUTH: "Check the service's API key.",
    ErrorKind.QUOTA: "Check the account's credit and spending limits.",
    ErrorKind.MODEL_NOT_FOUND: "Choose one of the models that the service lists.",
    ErrorKind.UNSUPPORTED: "Use another model or service; if nothing works there, check its base_url.",
    ErrorKind.BAD_REQUEST: "Correct the request.",
    ErrorKind.CONTEXT_LENGTH: "Shorten the messages, or choose a model with a longer context.",
}

# The first line that fits counts: most of these are kinds of ConnectionError and RequestException.
# An InvalidHeader's own text is left out, since the header at fault may hold the key.
_EXPLANATIONS: Final[tuple[tuple[type[Exception], ErrorKind, str], ...]] = (
    (Cancelled, ErrorKind.CANCELLED, "was called off before its answer was whole."),
    (
        ReplyTooLarge,
        ErrorKind.MALFORMED,
        "sent too much. {error} Ask for less, or raise OXIDE_MAX_REPLY_MB.",
    ),
    (AddressRefused, ErrorKind.CONNECT, "was not called: {error} Change its base_url."),
    (exceptions.ConnectTimeout, ErrorKind.CONNECT, f"takes no connection. {_ADVICE['connect']}"),
    (exceptions.Timeout, ErrorKind.TIMEOUT, "did not answer in time. Allow more seconds, or ask for a shorter answer."),
    (
        exceptions.SSLError,
        ErrorKind.CONNECT,
        "has no valid certificate ({error}). Check the https address, or name its authority's certificate as ca_file.",
    ),
    (
        exceptions.ProxyError,
        ErrorKind.CONNECT,
        "cannot be reached through its proxy ({error}). Check the proxy, and the name and password for it.",
    ),
    (exceptions.InvalidHeader, ErrorKind.AUTH, "has a key that no header can carry. Enter it again, in one line."),
    (exceptions.InvalidURL, ErrorKind.CONNECT, "has an address that is none ({error}). Correct its base_url."),
    (exceptions.ContentDecodingError, ErrorKind.MALFORMED, "sent an answer that cannot be unpacked ({error})."),
    (BrokenWithin, ErrorKind.BROKEN, "broke the connection before its answer was whole. Try again."),
    (
        exceptions.ChunkedEncodingError,
        ErrorKind.CONNECT,
        "broke the connection before its answer was whole. Try again.",
    ),
    (exceptions.RequestException, ErrorKind.CONNECT, f"cannot be reached ({{error}}). {_ADVICE['connect']}"),
    (
        sse.NoEventsError,
        ErrorKind.MALFORMED,
        f"sent an answer that cannot be read ({{error}}). {_ADVICE['malformed']}",
    ),
    (CutShortError, ErrorKind.MALFORMED, "ended its stream before the answer was whole. Try again."),
    (
        UnicodeEncodeError,
        ErrorKind.CONNECT,
        "cannot be called: no address holds such characters. Mend its base_url.",
    ),
    (_RedirectedError, ErrorKind.MALFORMED, "redirects ({error}), which is not followed. Set base_url to the target."),
)
_FAULTS: Final = (
    exceptions.RequestException,
    ReportedError,
    sse.ErrorEvent,
    sse.NoEventsError,
    *UNREADABLE,
    UnicodeError,
    CutShortError,
    _RedirectedError,
)
