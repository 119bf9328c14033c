"""How a task can fail, in the words of the API."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.adapters.base import ErrorKind, ProviderError

if TYPE_CHECKING:
    from tasks.models import Attempt, Task


class Code(enum.StrEnum):
    """Stored with a failed task and answered to its caller."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    INVALID_API_KEY = "INVALID_API_KEY"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    SERVICE_BUSY = "SERVICE_BUSY"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed: `detail` is for people, `retry_after` in seconds where waiting helps."""

    code: Code
    detail: str
    retry_after: float | None = None


class UnsuitableError(Exception):
    """The request asks for something that no service (or not the one named) can do. Nothing was recorded."""


class NoCandidateError(Exception):
    """No service can take the task at the moment."""


class ServiceRefusedError(Exception):
    """A service was not called: its breaker is open."""

    def __init__(self, service: str, retry_after: float) -> None:
        super().__init__(
            f"{service} failed several times in a row and is left alone for {retry_after:.0f} more seconds."
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
    ErrorKind.CONNECT: Code.PROVIDER_ERROR,
    ErrorKind.TIMEOUT: Code.TIMEOUT,
    ErrorKind.RATE_LIMITED: Code.SERVICE_UNAVAILABLE,
    ErrorKind.SERVER: Code.PROVIDER_ERROR,
    ErrorKind.MALFORMED: Code.PROVIDER_ERROR,
    ErrorKind.AUTH: Code.INVALID_API_KEY,
    ErrorKind.QUOTA: Code.PROVIDER_ERROR,
    ErrorKind.MODEL_NOT_FOUND: Code.PROVIDER_ERROR,
    ErrorKind.UNSUPPORTED: Code.VALIDATION_ERROR,
    ErrorKind.BAD_REQUEST: Code.VALIDATION_ERROR,
    ErrorKind.CONTEXT_LENGTH: Code.VALIDATION_ERROR,
    ErrorKind.CANCELLED: Code.CANCELLED,
}


def failure_of(error: ProviderError, service: str) -> Failure:
    """What the last failing provider's error means for the caller."""
    if error.kind is ErrorKind.AUTH:
        detail = f"Invalid API key for service {service}. Set the right one in its environment variable and restart."
    else:
        detail = error.message
    # Where nothing lives at the address, the operator's base_url is wrong and not the caller's request.
    is_address = error.kind is ErrorKind.UNSUPPORTED and error.status in (404, 405)
    return Failure(Code.PROVIDER_ERROR if is_address else _CODES[error.kind], detail, error.retry_after)
