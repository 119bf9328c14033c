"""What a provider says when it refuses: read from its error body, sorted into kinds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from services.adapters.base import ErrorKind, ProviderError

# Words that providers use as error type, code, status or reason. They say more than the status
# does, so they are looked at first. Of several the one that stands higher here decides.
_WORDS: Final[Mapping[str, ErrorKind]] = {
    # https://platform.openai.com/docs/guides/error-codes
    "insufficient_quota": ErrorKind.QUOTA,
    "billing_hard_limit_reached": ErrorKind.QUOTA,
    "context_length_exceeded": ErrorKind.CONTEXT_LENGTH,
    "exceed_context_size_error": ErrorKind.CONTEXT_LENGTH,  # llama.cpp
    "string_above_max_length": ErrorKind.CONTEXT_LENGTH,
    "model_not_found": ErrorKind.MODEL_NOT_FOUND,
    "invalid_api_key": ErrorKind.AUTH,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,  # Groq sends it with 413 too
    # https://platform.claude.com/docs/en/api/errors and /rate-limits
    "billing_error": ErrorKind.QUOTA,
    "enforced_spend_limit_reached": ErrorKind.QUOTA,
    "request_too_large": ErrorKind.CONTEXT_LENGTH,
    "authentication_error": ErrorKind.AUTH,
    "permission_error": ErrorKind.AUTH,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "overloaded_error": ErrorKind.SERVER,
    # https://ai.google.dev/gemini-api/docs/troubleshooting
    "api_key_invalid": ErrorKind.AUTH,
    "failed_precondition": ErrorKind.QUOTA,  # no free tier in this country, or billing is off
}
# Only where no status says it better: within a stream that began with 200.
_VAGUE_WORDS: Final[Mapping[str, ErrorKind]] = {
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "invalid_argument": ErrorKind.BAD_REQUEST,
    "badrequesterror": ErrorKind.BAD_REQUEST,
    "resource_exhausted": ErrorKind.RATE_LIMITED,
    "permission_denied": ErrorKind.AUTH,
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
    413: ErrorKind.CONTEXT_LENGTH,
    425: ErrorKind.SERVER,
    429: ErrorKind.RATE_LIMITED,
}
_ABOUT_THE_KEY: Final = frozenset({"invalid_api_key", "api_key_invalid", "authentication_error"})
_KEY_REJECTED: Final = re.compile(
    r"(invalid|incorrect|wrong|unknown|expired|revoked|missing) (api|access|auth\w*)?[ _-]?(key|token)"
    r"|(key|token)\S*( \S+)? (is |was |has been )?(not valid|invalid|incorrect|wrong|expired|revoked|disabled)",
    re.IGNORECASE,
)
_MAY_BE_TOO_LONG: Final = frozenset({400, 413, 422, 500})  # llama.cpp has said it with a 500
_TOO_LONG: Final = re.compile(
    r"context[ _](length|window|size|limit)|prompt is too long|input is too long|too many (input )?tokens"
    r"|input token count|maximum (input|prompt) length",
    re.IGNORECASE,
)
_WORD_FIELDS: Final = frozenset({"code", "type", "status", "reason", "error_code", "error_type"})
_DEPTH: Final = 4


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
            payload = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return cls(status, _plain_text(body), retry_after=pause)
        return cls(status, _message(payload), frozenset(_words(payload)), pause, payload)

    @classmethod
    def within(cls, payload: Any) -> Failure:
        """From an error object that stands in an answer with the status 200."""
        return cls(_status(payload), _message(payload), frozenset(_words(payload)), payload=payload)

    @property
    def kind(self) -> ErrorKind:
        for word, kind in _WORDS.items():
            if word in self.words:
                return kind
        if self.status in _MAY_BE_TOO_LONG | {None} and _TOO_LONG.search(self.message):
            return ErrorKind.CONTEXT_LENGTH
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
        return is_refusal and bool(self.words & _ABOUT_THE_KEY or _KEY_REJECTED.search(self.message))


def rejects_key(error: ProviderError) -> bool:
    """Whether a call failed because the provider, or HTTP itself, does not take our key."""
    if isinstance(error.__cause__, ReportedError):
        return error.__cause__.failure.rejects_key
    return error.kind is ErrorKind.AUTH and error.status != 403


def seconds(text: str) -> float | None:
    """A number that can be a duration; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _status(payload: Any) -> int | None:
    # OpenRouter and Gemini name the HTTP status as the error's code.
    error = payload.get("error", payload) if isinstance(payload, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else None


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
    text = body[:2000].decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else text
