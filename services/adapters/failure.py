"""What a provider says when it refuses: read from its error body, sorted into kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from services.adapters import sse
from services.adapters.base import ErrorKind, ProviderError
from services.adapters.pause import seconds_in

# Words that providers use as error type, code, status or reason. They say more than the status
# does, so they are looked at first. Of several the one that stands higher here decides.
_WORDS: Final[Mapping[str, ErrorKind]] = {
    # https://platform.openai.com/docs/guides/error-codes
    "insufficient_quota": ErrorKind.QUOTA,
    "billing_hard_limit_reached": ErrorKind.QUOTA,
    "billing_not_active": ErrorKind.QUOTA,
    "credit_balance_exhausted": ErrorKind.QUOTA,
    "context_length_exceeded": ErrorKind.CONTEXT_LENGTH,
    "string_above_max_length": ErrorKind.CONTEXT_LENGTH,
    "model_not_found": ErrorKind.MODEL_NOT_FOUND,
    "invalid_api_key": ErrorKind.AUTH,
    "unsupported_country_region_territory": ErrorKind.AUTH,
    "unsupported_parameter": ErrorKind.UNSUPPORTED,
    "unsupported_value": ErrorKind.UNSUPPORTED,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,  # Groq sends it with 413 too
    # https://platform.claude.com/docs/en/api/errors and /rate-limits
    "billing_error": ErrorKind.QUOTA,
    "enforced_spend_limit_reached": ErrorKind.QUOTA,
    "request_too_large": ErrorKind.CONTEXT_LENGTH,
    "authentication_error": ErrorKind.AUTH,
    "permission_error": ErrorKind.AUTH,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "overloaded_error": ErrorKind.OVERLOADED,
    # https://ai.google.dev/gemini-api/docs/troubleshooting
    "api_key_invalid": ErrorKind.AUTH,
    "failed_precondition": ErrorKind.QUOTA,  # no free tier in this country, or billing is off
    # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/troubleshooting
    "deploymentnotfound": ErrorKind.MODEL_NOT_FOUND,
    "operationnotsupported": ErrorKind.UNSUPPORTED,
    # GitHub Copilot, and https://huggingface.co/docs/inference-providers/
    "model_not_supported": ErrorKind.MODEL_NOT_FOUND,
    # https://console.groq.com/docs/deprecations and /docs/errors
    "model_decommissioned": ErrorKind.MODEL_NOT_FOUND,
    "model_terms_required": ErrorKind.AUTH,
    # https://docs.mistral.ai/api and https://docs.together.ai/docs/error-codes
    "unknown_model": ErrorKind.MODEL_NOT_FOUND,
    "invalid_model": ErrorKind.MODEL_NOT_FOUND,
    "model_not_available": ErrorKind.MODEL_NOT_FOUND,
    "rate_limited": ErrorKind.RATE_LIMITED,
    "extra_forbidden": ErrorKind.UNSUPPORTED,
    # https://platform.moonshot.ai/docs/api/chat
    "exceeded_current_quota_error": ErrorKind.QUOTA,
    "invalid_authentication_error": ErrorKind.AUTH,
    "incorrect_api_key_error": ErrorKind.AUTH,
    "engine_overloaded_error": ErrorKind.RATE_LIMITED,
    "rate_limit_reached_error": ErrorKind.RATE_LIMITED,
    # https://docs.z.ai/api-reference/api-code
    "1113": ErrorKind.QUOTA,
    "model_context_window_exceeded": ErrorKind.CONTEXT_LENGTH,
    # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    "exceed_context_size_error": ErrorKind.CONTEXT_LENGTH,
    "not_supported_error": ErrorKind.UNSUPPORTED,
}
# Only where no status says it better: within a stream that began with 200.
_VAGUE_WORDS: Final[Mapping[str, ErrorKind]] = {
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "invalid_argument": ErrorKind.BAD_REQUEST,
    "badrequesterror": ErrorKind.BAD_REQUEST,
    "resource_exhausted": ErrorKind.RATE_LIMITED,
    "permission_denied": ErrorKind.AUTH,
    "not_found_error": ErrorKind.MODEL_NOT_FOUND,
}
_STATUSES: Final[Mapping[int, ErrorKind]] = {
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.AUTH,
    # Nothing lives at that address: another service may well do what this one cannot.
    404: ErrorKind.UNSUPPORTED,
    405: ErrorKind.UNSUPPORTED,
    408: ErrorKind.SERVER,
    409: ErrorKind.SERVER,
    410: ErrorKind.MODEL_NOT_FOUND,
    412: ErrorKind.QUOTA,  # a suspended account: https://fireworks.ai/docs/guides/inference-error-codes
    413: ErrorKind.CONTEXT_LENGTH,
    425: ErrorKind.SERVER,
    429: ErrorKind.RATE_LIMITED,
    451: ErrorKind.AUTH,
    501: ErrorKind.UNSUPPORTED,
    529: ErrorKind.OVERLOADED,
}
_ABOUT_THE_KEY: Final = frozenset(
    {
        "invalid_api_key",
        "api_key_invalid",
        "authentication_error",
        "invalid_authentication_error",
        "incorrect_api_key_error",
    }
)
_MAY_BE_TOO_LONG: Final = frozenset({400, 413, 422, 500, None})  # llama.cpp has said it with a 500
# OpenAI, OpenRouter, vLLM, Mistral, llama.cpp, LM Studio, Together; Anthropic, Fireworks; Bedrock; Gemini; xAI; Groq;
# Kimi; GitHub Copilot; DashScope; text-generation-inference.
_TOO_LONG: Final = re.compile(
    r"context[ _](length|window|size|limit)|prompt (is )?too long|input is too long|too many (input )?tokens"
    r"|input token count|(maximum|allowed) (input|prompt) length|reduce the length of the (messages|prompt)"
    r"|exceeded model token limit|prompt token count of \d+ exceeds|range of input length should be"
    r"|(?<!max_)(?<!completion_)tokens?,? (which )?exceeds? the (model('s)? )?(maximum|limit)|token limit exceeded"
    r"|\binput length\b.{0,30}\bexceeds?\b|`inputs`( tokens \+ `max_new_tokens`)? must (be <=|have less than) \d",
    re.IGNORECASE,
)
# A status may say too little: several vendors answer 400 for whatever they refuse, and llama.cpp 500.
_VAGUE_STATUSES: Final = frozenset({400, 403, 404, 410, 412, 422, 500, None})
_OPERATION: Final = re.compile(
    r"(does not|doesn't) support (the )?(chat|embedding|stream|(text )?completion|generat|counting|count_?tokens"
    r"|responses)|\b(chat( completions?)?|completions?|embeddings?|streaming|responses)( api)? (is|are) not "
    r"(supported|implemented|enabled|available)|(is )?not supported in the v1/|operation does not work with"
    r"|not (yet )?implemented|unsupported (operation|endpoint)|not a chat model",
    re.IGNORECASE,
)
# Gemini's "API key not valid" is a 400, as is xAI's "Incorrect API key provided":
# https://docs.x.ai/docs/key-information/debugging
_BAD_KEY: Final = re.compile(
    r"api[ _-]?key\S*( \S+)? (is |was )?(not valid|invalid|incorrect|wrong|expired|not found|revoked|disabled)"
    r"|(invalid|incorrect|expired|wrong|missing|revoked) (api[ _-]?key|authentication|(access|auth|bearer) token)",
    re.IGNORECASE,
)
# Before the words of missing operations and parameters, which these sentences hold, too. Gemini:
# "models/x is not found for API version v1beta, or is not supported for generateContent". Bedrock.
_NO_SUCH_MODEL: Final = re.compile(
    r"\bmodels/\S+ (is|was) not found|\bmodel ['\"`]?[\w./:@-]+['\"`]? is not supported\b(?! (in|with|by|for|on))"
    r"|model identifier is invalid",
    re.IGNORECASE,
)
_REGION: Final = re.compile(
    r"(country|region|location|territory)\b.{0,40} (is )?not supported|not available in your (country|region)",
    re.IGNORECASE,
)
_NO_CREDIT: Final = re.compile(
    r"credit balance|(usage|spend(ing)?) limit|insufficient (account )?(balance|credits?|funds|quota)"
    r"|(all|enough|out of|more) (available )?credits|billing|account.{0,40}(suspended|overdue|arrears)",
    re.IGNORECASE,
)
_NO_MODEL: Final = re.compile(
    r"\b(model|deployment)\b.{0,120}?(not exist|not found|not available|no longer|not loaded|deprecated|decommissioned"
    r"|retired|discontinued|shut ?down|is not supported\b(?! (in|with|by|for)))"
    r"|not found the model|(unknown|invalid|no such|unsupported|non-serverless) model\b|no models? loaded"
    r"|not a valid model|could not find (the )?model|no endpoints found",
    re.IGNORECASE,
)
_UNSUPPORTED: Final = re.compile(
    r"unsupported (request )?(parameter|value|argument|feature|field)"
    r"|(does not|doesn't|cannot) support|(?<!model )(is|are) (not supported|unsupported|not permitted|not enabled)"
    r"|(is deprecated|not available|not allowed|not supported) (for|with|by|on) (this|the) model"
    r"|requires? --[a-z]|no endpoints found that support",
    re.IGNORECASE,
)
# The first that fits decides.
_TEXTS: Final[tuple[tuple[re.Pattern[str], ErrorKind], ...]] = (
    (_BAD_KEY, ErrorKind.AUTH),
    (_REGION, ErrorKind.AUTH),
    (_NO_CREDIT, ErrorKind.QUOTA),
    (_NO_SUCH_MODEL, ErrorKind.MODEL_NOT_FOUND),
    (_OPERATION, ErrorKind.UNSUPPORTED),
    (_UNSUPPORTED, ErrorKind.UNSUPPORTED),
    (_NO_MODEL, ErrorKind.MODEL_NOT_FOUND),
)
_WORD_FIELDS: Final = frozenset({"code", "type", "status", "reason", "error_code", "error_type"})
_STATUS_FIELDS: Final = ("code", "status", "status_code")
_DIGITS: Final = re.compile(r"[45][0-9]{2}")
_DEPTH: Final = 4
# What decoding JSON raises.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_MOST_TEXT: Final = 16 * 1024


class ReportedError(Exception):
    """A provider reported a failure: by its status, or within an answer that began well."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as reported. `status` is the HTTP status, or the one named within an answer of 200.

    `words` are its codes in lower case. `retry_after` is in seconds. `payload` is the whole body.
    """

    status: int | None
    message: str
    words: frozenset[str] = frozenset()
    retry_after: float | None = None
    payload: Any = None

    @classmethod
    def read(cls, status: int, body: bytes, pause: float | None = None) -> Failure:
        """From an HTTP answer whose status says that it failed. The body may be anything; `pause` is in seconds."""
        try:
            payload = _decoded(body)
        except UNREADABLE:
            return cls(status, _plain_text(body), retry_after=pause)
        message = _message(payload)
        pause = seconds_in(payload, message) if pause is None else pause
        return cls(status, message, frozenset(_words(payload)), pause, payload)

    @classmethod
    def within(cls, payload: Any) -> Failure:
        """From an error object that stands in an answer with the status 200."""
        message = _message(payload)
        return cls(_status(payload), message, frozenset(_words(payload)), seconds_in(payload, message), payload)

    @classmethod
    def of_event(cls, data: bytes) -> Failure:
        """From the event with which a stream reports an error: JSON, or a text."""
        try:
            return cls.within(_decoded(data))
        except UNREADABLE:
            return cls(None, _plain_text(data))

    @property
    def kind(self) -> ErrorKind:
        for word, kind in _WORDS.items():
            if word in self.words:
                return kind
        if self.status in _MAY_BE_TOO_LONG and _TOO_LONG.search(self.message):
            return ErrorKind.CONTEXT_LENGTH
        if self.status in _VAGUE_STATUSES and (by_text := self._kind_by_text()):
            return by_text
        if self.status is None:
            return next((kind for word, kind in _VAGUE_WORDS.items() if word in self.words), ErrorKind.SERVER)
        if self.status == 404 and "model" in self.message.lower():
            return ErrorKind.MODEL_NOT_FOUND
        return _STATUSES.get(self.status, ErrorKind.SERVER if self.status >= 500 else ErrorKind.BAD_REQUEST)

    @property
    def rejects_key(self) -> bool:
        """Whether our key is rejected. Only 401 says so by itself: 403 is also that of firewalls and of regions."""
        if self.status == 401:
            return True
        is_refusal = self.status is None or 400 <= self.status < 500
        return is_refusal and bool(self.words & _ABOUT_THE_KEY or _BAD_KEY.search(self.message))

    @property
    def lacks_operation(self) -> Literal["", "service", "model"]:
        """Whether the operation is not available at all: for every model of the service, or for the one asked."""
        if self.status in (405, 501):
            return "service"
        if "operationnotsupported" in self.words or _OPERATION.search(self.message):
            return "model"
        return "service" if self.status == 404 and self.kind is ErrorKind.UNSUPPORTED else ""

    def field(self, name: str) -> str:
        """A text of the error object, such as its `type`, `code` or `param`; "" where there is none."""
        payload = self.payload[0] if isinstance(self.payload, list) and self.payload else self.payload
        error = payload.get("error") if isinstance(payload, dict) else None
        found = (error if isinstance(error, dict) else payload or {}).get(name) if isinstance(payload, dict) else None
        return found if isinstance(found, str) else ""

    def _kind_by_text(self) -> ErrorKind | None:
        # A fault of the server's own may mention a model or billing, too.
        texts = [each for each in _TEXTS if self.status != 500 or each[1] is ErrorKind.UNSUPPORTED]
        return next((kind for pattern, kind in texts if pattern.search(self.message)), None)


def rejects_key(error: ProviderError) -> bool:
    """Whether a call failed because the provider, or HTTP itself, does not take our key."""
    if isinstance(error.__cause__, ReportedError):
        return error.__cause__.failure.rejects_key
    return error.kind is ErrorKind.AUTH and error.status != 403


def raise_reported(document: bytes) -> None:
    """Raise `ReportedError` where a document that is no part of an answer is an error in whatever shape.

    Some servers send one within a status of 200, in a protocol other than their own or in that of their framework.
    """
    try:
        payload = _decoded(document)
    except UNREADABLE:
        return
    if isinstance(payload, dict | list) and (_message(payload) or _error(payload)):
        raise ReportedError(Failure.within(payload))


def _decoded(body: bytes) -> Any:
    """The JSON in an error's body, also where a stream's framing is around it. Raises `UNREADABLE`."""
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        document = _first_document(body)
        if document is None:
            raise
        return msgspec.json.decode(document)


def _first_document(body: bytes) -> bytes | None:
    try:
        return next((each for each in sse.documents([body]) if each is not sse.DONE), None)
    except sse.ErrorEvent as event:
        return event.data
    except sse.NoEventsError:
        return None


def _error(payload: Any) -> Any:
    """What stands under "error"; Gemini wraps the error of a stream in a list."""
    if isinstance(payload, list):
        payload = payload[0] if payload else None
    return payload.get("error") if isinstance(payload, dict) else None


def _status(payload: Any) -> int | None:
    """The HTTP status that an error names, in itself or beside it: OpenRouter and Gemini as a number, Azure as text."""
    if isinstance(payload, list):
        payload = payload[0] if payload else None
    places = [each for each in (_error(payload), payload) if isinstance(each, dict)]
    found = (place.get(name) for place in places for name in _STATUS_FIELDS)
    codes = (int(each) if isinstance(each, str) and _DIGITS.fullmatch(each) else each for each in found)
    return next((code for code in codes if isinstance(code, int) and 400 <= code <= 599), None)


def _words(payload: Any, depth: int = _DEPTH) -> Iterator[str]:
    children = payload if isinstance(payload, list) else []
    if isinstance(payload, dict):
        found = [value for name, value in payload.items() if name in _WORD_FIELDS and isinstance(value, str)]
        yield from (word.lower() for word in found)
        children = list(payload.values())
    for child in children if depth else []:
        yield from _words(child, depth - 1)


def _message(payload: Any) -> str:
    """The sentence for people, wherever it stands: no two servers agree on that."""
    if isinstance(payload, list):  # Gemini wraps the error of a stream in a list
        payload = payload[0] if payload else None
    if isinstance(payload, str):
        return payload
    if not isinstance(payload, dict):
        return ""
    found = (_message(payload.get(name)) for name in ("error", "message", "detail", "msg"))
    return next(filter(None, found), "") + _raw_cause(payload)


def _raw_cause(error: dict[str, Any]) -> str:
    # OpenRouter passes on what the provider behind it said; without it there is only "Provider
    # returned error". https://openrouter.ai/docs/api/reference/errors-and-debugging
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return f" ({raw})" if isinstance(raw, str) else ""


def _plain_text(body: bytes) -> str:
    text = body[:_MOST_TEXT].decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else text
