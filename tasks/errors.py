"""How a task can fail, in the words of the API."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from services.adapters.base import ErrorKind, ProviderError, VendorError
from services.adapters.failure import rejects_key

if TYPE_CHECKING:
    from tasks.models import Attempt, Task


class Code(enum.StrEnum):
    """Stored with a failed task and answered to its caller."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    PROVIDER_RATE_LIMITED = "PROVIDER_RATE_LIMITED"
    PROVIDER_OVERLOADED = "PROVIDER_OVERLOADED"
    INVALID_API_KEY = "INVALID_API_KEY"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    SERVICE_BUSY = "SERVICE_BUSY"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class ProviderErrorShown(TypedDict):
    """The error of a provider, as it stands in the error of the task.

    `message`, `type`, `code` and `param` are the provider's own words, keys masked; "" where it sent none. `status` is
    its HTTP status. `kind` is Oxide's word for it. `retryable` tells whether the same request may succeed later.
    `prompt_tokens` and `maximum_tokens` are known where a prompt was too long, the first perhaps as an estimate.
    """

    service: str
    status: int | None
    kind: str
    message: str
    type: str
    code: str
    param: str
    advice: str
    retryable: bool
    prompt_tokens: int | None
    maximum_tokens: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed: `detail` is for people, `retry_after` in seconds where waiting helps.

    `provider` is the provider's error, None where none was called.
    """

    code: Code
    detail: str
    retry_after: float | None = None
    provider: ProviderErrorShown | None = None


class UnsuitableError(Exception):
    """The request asks for something that no service (or not the one named) can do. Nothing was recorded."""


class NoCandidateError(Exception):
    """No service can take the task at the moment."""


class ServiceRefusedError(Exception):
    """A service was not called, because its circuit breaker is open. `retry_after` is in seconds.

    `problem` is what is known to be wrong with it, worded to follow its name.
    """

    def __init__(self, service: str, retry_after: float, problem: str = "") -> None:
        cause = f"{service} {problem.rstrip('.')}. Its" if problem else f"{service}:"
        todo = f"Try again in {max(1, math.ceil(retry_after))} s."
        super().__init__(f"{cause} circuit breaker {'is ' if problem else ''}open after repeated failures. {todo}")
        self.retry_after = retry_after


class ServicePausedError(Exception):
    """A service was not called, because it has asked to wait. `retry_after` is in seconds."""

    def __init__(self, service: str, retry_after: float) -> None:
        super().__init__(
            f"{service} limits the rate of requests. Try again in {max(1, math.ceil(retry_after))} s, "
            "or add another service."
        )
        self.retry_after = retry_after


class TaskFailedError(Exception):
    """A task that is recorded as failed, and why."""

    def __init__(self, task: Task, attempts: Sequence[Attempt], failure: Failure) -> None:
        super().__init__(failure.detail)
        self.task = task
        self.attempts = attempts
        self.failure = failure


_CODES = {
    ErrorKind.CONNECT: Code.SERVICE_UNAVAILABLE,
    ErrorKind.TIMEOUT: Code.TIMEOUT,
    ErrorKind.RATE_LIMITED: Code.PROVIDER_RATE_LIMITED,
    ErrorKind.OVERLOADED: Code.PROVIDER_OVERLOADED,
    ErrorKind.SERVER: Code.PROVIDER_ERROR,
    ErrorKind.BROKEN: Code.PROVIDER_ERROR,
    ErrorKind.MALFORMED: Code.PROVIDER_ERROR,
    ErrorKind.AUTH: Code.INVALID_API_KEY,
    ErrorKind.QUOTA: Code.PROVIDER_ERROR,
    ErrorKind.MODEL_NOT_FOUND: Code.MODEL_NOT_FOUND,
    ErrorKind.UNSUPPORTED: Code.VALIDATION_ERROR,
    ErrorKind.BAD_REQUEST: Code.VALIDATION_ERROR,
    ErrorKind.CONTEXT_LENGTH: Code.VALIDATION_ERROR,
    ErrorKind.CANCELLED: Code.CANCELLED,
}
# What a provider says by these statuses callers are told by the same.
_CODES_OF_STATUSES = {503: Code.SERVICE_UNAVAILABLE, 504: Code.TIMEOUT}


def failure_of(error: ProviderError, service: str) -> Failure:
    """What a provider's error means for the caller."""
    code = _code_of(error)
    return Failure(code, _detail_of(error, service, code), error.retry_after, _shown(error, service))


def _shown(error: ProviderError, service: str) -> ProviderErrorShown:
    vendor = error.vendor or VendorError("")
    return {
        "service": service,
        "status": error.status,
        "kind": error.kind.value,
        "message": vendor.message,
        "type": vendor.type,
        "code": vendor.code,
        "param": vendor.param,
        "advice": error.advice,
        "retryable": not error.permanent,
        "prompt_tokens": error.context.prompt,
        "maximum_tokens": error.context.maximum,
    }


def _code_of(error: ProviderError) -> Code:
    if error.kind is ErrorKind.QUOTA and error.status == 429:
        return Code.PROVIDER_RATE_LIMITED
    # Where nothing lives at the address, the operator's base_url is wrong and not the caller's request.
    if error.kind is ErrorKind.UNSUPPORTED and error.lacks_operation == "service":
        return Code.PROVIDER_ERROR
    if error.kind in (ErrorKind.SERVER, ErrorKind.OVERLOADED) and error.status in _CODES_OF_STATUSES:
        return _CODES_OF_STATUSES[error.status]
    return _CODES[error.kind]


def _detail_of(error: ProviderError, service: str, code: Code) -> str:
    if code is Code.SERVICE_UNAVAILABLE:
        return f"{service} is currently unhealthy: {error.message.removeprefix(service).strip()}"
    # A firewall, or a country that the provider does not serve, answers 403 to a good key, too.
    if code is not Code.INVALID_API_KEY or not rejects_key(error):
        return error.message
    said = f" It said: {error.vendor_message}" if error.vendor_message else ""
    todo = "Set the right one in its environment variable and restart."
    return f"Invalid API key for service {service}. {todo}{said}"
