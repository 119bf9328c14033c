"""How a call can fail. Every error says what to do next."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from oxide_client.answers import Attempt, TaskDetail

_E = TypeVar("_E", bound=BaseException)


class OxideError(Exception):
    """All that this package raises when a call fails.

    `code` is Oxide's own ("PROVIDER_ERROR"), or "" where the answer was not Oxide's or none came; `title` its few words
    on it. `status` is that of HTTP, None where none came. `retry_after` is in seconds. `task_id` is there where the
    task is known, and `attempts` are then the calls that were made to services for it. `body` is the whole answer.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        title: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        task_id: str | None = None,
        attempts: Sequence[Attempt] = (),
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.title = title
        self.status = status
        self.retry_after = retry_after
        self.task_id = task_id
        self.attempts = attempts
        self.body: Mapping[str, Any] = body or {}


class ValidationError(OxideError):
    """The request is wrong; the message names the field."""


class ConfigInvalidError(ValidationError):
    """The configuration file cannot be used; nothing was changed."""

    @property
    def problems(self) -> list[dict[str, Any]]:
        """Each with `line`, `field` and `message`."""
        return list(self.body.get("problems", ()))


class UnauthorizedError(OxideError):
    """Oxide does not know who calls: give a token, or log in."""


class ForbiddenError(OxideError):
    """The caller may not do this."""


class NotFoundError(OxideError):
    """There is no such task, service, rule, model or address."""


class MethodNotAllowedError(OxideError):
    """The address takes no such method."""


class PayloadTooLargeError(OxideError):
    """The request is larger than Oxide takes."""


class UnsupportedMediaTypeError(OxideError):
    """The body is of a type that Oxide does not read."""


class RateLimitError(OxideError):
    """Too many requests; `retry_after` says when there is room again."""


class InternalError(OxideError):
    """A defect of Oxide; its log says more."""


class ProviderError(OxideError):
    """The provider failed; `attempts` tell which said what."""


class ProviderRateLimitError(RateLimitError):
    """The provider limits the rate of Oxide's requests; `retry_after` says when to try again, where that is known."""


class ProviderOverloadedError(ProviderError):
    """The provider is overloaded: try again later."""


class InvalidApiKeyError(ProviderError):
    """A provider refused Oxide's key."""


class ServiceUnavailableError(OxideError):
    """No service can take the task now, or Oxide cannot work."""


class ServiceBusyError(ServiceUnavailableError):
    """Every place is taken."""


class TaskTimeoutError(OxideError):
    """The task's time ran out at Oxide; `DeadlineError` is when the client's own did."""


class TaskInterruptedError(OxideError):
    """The process that worked on the task has ended."""


class TaskCancelledError(OxideError):
    """The task was called off."""


class UnexpectedAnswerError(OxideError):
    """Something answered that is not Oxide, or not as this client knows it."""


class ConnectionFailedError(OxideError):
    """There was no connection: nothing was asked."""


class WrongAddressError(ConnectionFailedError):
    """The address itself is wrong, or its certificate is not accepted: another try would fail in the same way."""


class ConnectionLostError(OxideError):
    """The connection broke: a task that was sent may have run."""


class DeadlineError(OxideError):
    """The client's own time for the call ran out."""


_BY_CODE: Mapping[str, type[OxideError]] = {
    "VALIDATION_ERROR": ValidationError,
    "CONFIG_INVALID": ConfigInvalidError,
    "UNAUTHORIZED": UnauthorizedError,
    "FORBIDDEN": ForbiddenError,
    "NOT_FOUND": NotFoundError,
    "MODEL_NOT_FOUND": NotFoundError,
    "METHOD_NOT_ALLOWED": MethodNotAllowedError,
    "PAYLOAD_TOO_LARGE": PayloadTooLargeError,
    "UNSUPPORTED_MEDIA_TYPE": UnsupportedMediaTypeError,
    "RATE_LIMIT_EXCEEDED": RateLimitError,
    "INTERNAL_ERROR": InternalError,
    "PROVIDER_ERROR": ProviderError,
    "PROVIDER_RATE_LIMITED": ProviderRateLimitError,
    "PROVIDER_OVERLOADED": ProviderOverloadedError,
    "INVALID_API_KEY": InvalidApiKeyError,
    "SERVICE_UNAVAILABLE": ServiceUnavailableError,
    "SERVICE_BUSY": ServiceBusyError,
    "TIMEOUT": TaskTimeoutError,
    "INTERRUPTED": TaskInterruptedError,
    "CANCELLED": TaskCancelledError,
}
# What a proxy before Oxide says in words of its own.
_BY_STATUS: Mapping[int, type[OxideError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    413: PayloadTooLargeError,
    429: RateLimitError,
    503: ServiceUnavailableError,
}
# nginx, Go and Apache, asked without TLS at a port for TLS.
WANTS_TLS = re.compile(rb"HTTP request (was sent )?to an? ?HTTPS|to HTTPS port|SSL-enabled server port", re.IGNORECASE)


def of_answer(status: int, headers: Mapping[str, str], content: bytes, url: str) -> OxideError:
    """The error that an HTTP answer tells. `headers` find their names in any case."""
    retry_after = _seconds(headers.get("Retry-After"))
    body = _object(content)
    if body is not None and isinstance(body.get("code"), str):
        return of_body(body, status, retry_after)
    if 300 <= status < 400:
        message = f"{url} redirects to {headers.get('Location', 'elsewhere')}. Use that address as base_url."
        return UnexpectedAnswerError(message, status=status)
    if status == 400 and WANTS_TLS.search(content[:4096]):
        return wrong_scheme(url, "https")
    kind = _BY_STATUS.get(status, UnexpectedAnswerError)
    message = f"{url} answered {status}, and not in the words of Oxide. Check base_url, and the proxies before Oxide."
    return kind(message, status=status, retry_after=retry_after, body=body)


def of_body(body: Mapping[str, Any], status: int | None = None, retry_after: float | None = None) -> OxideError:
    """The error that a body `{"error", "detail", "code"}` tells; the event `error` of a stream has such a one."""
    kind = _BY_CODE.get(str(body.get("code")), OxideError)
    title, detail = str(body.get("error", "")), str(body.get("detail", ""))
    return kind(
        ": ".join(part for part in (title, detail) if part) or "Oxide told an error without words.",
        code=str(body.get("code", "")),
        title=title,
        status=status,
        retry_after=retry_after,
        task_id=body.get("task_id"),
        attempts=body.get("attempts") or (),
        body=body,
    )


def of_task(task: TaskDetail) -> OxideError:
    """The error of a task that failed."""
    kind = _BY_CODE.get(task["error_code"], OxideError)
    message = f"Task {task['task_id']} failed: {task['error_detail']}"
    return kind(message, code=task["error_code"], task_id=task["task_id"], attempts=task["attempts"], body={**task})


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _seconds(retry_after: str | None) -> float | None:
    """A number of seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after"""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())


# What happens on the way, and not at Oxide.


def not_connected(base_url: str, error: BaseException) -> ConnectionFailedError:
    if _found(error, ssl.SSLCertVerificationError):
        # The error of aiohttp is of that class, too, but has no message.
        why = next((inner.verify_message for inner in _chain(error) if hasattr(inner, "verify_message")), str(error))
        return WrongAddressError(
            f"The certificate of {base_url} is not accepted ({why}). Use the name that the certificate "
            "is made for in base_url; where your own authority signed it, name the authority's file in SSL_CERT_FILE."
        )
    failed = f"Cannot connect to Oxide at {base_url} ({_words(error)})."
    if _found(error, socket.gaierror):
        return ConnectionFailedError(f"{failed} Check the name of the host in base_url.")
    return ConnectionFailedError(f"{failed} Start it, or give the right base_url.")


def no_way_through(base_url: str, error: BaseException) -> ConnectionFailedError:
    return ConnectionFailedError(f"The proxy does not connect to {base_url} ({_words(error)}). Check the proxy.")


def wrong_scheme(base_url: str, right: str) -> WrongAddressError:
    """`right` is the scheme that the server speaks."""
    speaks = "TLS" if right == "https" else "plain HTTP, without TLS"
    good = f"{right}://{base_url.partition('://')[2]}"
    return WrongAddressError(f"{base_url} has the wrong scheme: the server speaks {speaks}. Use {good} as base_url.")


def out_of_time(is_task: bool, seconds: float, task_id: str | None) -> DeadlineError:
    meaning = " Oxide calls the task off." if is_task else ""
    return DeadlineError(f"No answer within {seconds:g} s.{meaning} Allow more time with timeout.", task_id=task_id)


def broken(is_task: bool, base_url: str, error: BaseException, task_id: str | None) -> ConnectionLostError:
    advice = "The task may have run: look at the history before you send it again." if is_task else "Try again."
    return ConnectionLostError(f"The connection to {base_url} broke ({_words(error)}). {advice}", task_id=task_id)


def is_unreachable(error: BaseException) -> bool:
    """Whether nothing listens at the address, or there is no such host."""
    return any(_found(error, kind) for kind in (ConnectionRefusedError, socket.gaierror))


def _words(error: BaseException) -> str:
    """What the system says, such as "Connection refused", out of all that libraries wrap around it."""
    said = (inner.strerror for inner in _chain(error) if isinstance(inner, OSError))
    return next(filter(None, said), "") or str(error) or type(error).__name__


def _found(error: BaseException, kind: type[_E]) -> _E | None:
    return next((inner for inner in _chain(error) if isinstance(inner, kind)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        inner = inner.__cause__ or inner.__context__
