"""The Python client of Oxide: `AsyncOxide` for asyncio, `Oxide` for everything else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from oxide_client.answers import TaskAccepted, TaskAnswer, TaskDetail, TaskType
from oxide_client.blocking import Oxide, TaskStream
from oxide_client.blocking_events import Events
from oxide_client.errors import (
    ConfigInvalidError,
    ConnectionFailedError,
    ConnectionLostError,
    DeadlineError,
    ForbiddenError,
    InternalError,
    InvalidApiKeyError,
    MethodNotAllowedError,
    NotFoundError,
    OxideError,
    PayloadTooLargeError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitError,
    RateLimitError,
    ServiceBusyError,
    ServiceUnavailableError,
    TaskCancelledError,
    TaskInterruptedError,
    TaskTimeoutError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnsupportedMediaTypeError,
    ValidationError,
    WrongAddressError,
)
from oxide_client.errors import of_body as error_of
from oxide_client.live import LiveEvent
from oxide_client.options import Message, RuleFields, TaskOptions
from oxide_client.retries import Retries
from oxide_client.streams import StreamEvent
from oxide_client.version import __version__

if TYPE_CHECKING:
    from oxide_client.aio import AsyncOxide, AsyncTaskStream
    from oxide_client.aio import AsyncOxide as OxideClient
    from oxide_client.aio_events import AsyncEvents

__all__ = [
    "AsyncEvents",
    "AsyncOxide",
    "AsyncTaskStream",
    "ConfigInvalidError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "DeadlineError",
    "Events",
    "ForbiddenError",
    "InternalError",
    "InvalidApiKeyError",
    "LiveEvent",
    "Message",
    "MethodNotAllowedError",
    "NotFoundError",
    "Oxide",
    "OxideClient",
    "OxideError",
    "PayloadTooLargeError",
    "ProviderError",
    "ProviderOverloadedError",
    "ProviderRateLimitError",
    "RateLimitError",
    "Retries",
    "RuleFields",
    "ServiceBusyError",
    "ServiceUnavailableError",
    "StreamEvent",
    "TaskAccepted",
    "TaskAnswer",
    "TaskCancelledError",
    "TaskDetail",
    "TaskInterruptedError",
    "TaskOptions",
    "TaskStream",
    "TaskTimeoutError",
    "TaskType",
    "UnauthorizedError",
    "UnexpectedAnswerError",
    "UnsupportedMediaTypeError",
    "ValidationError",
    "WrongAddressError",
    "__version__",
    "error_of",
]

_ASYNCHRONOUS = {
    "AsyncOxide": ("oxide_client.aio", "AsyncOxide"),
    "AsyncTaskStream": ("oxide_client.aio", "AsyncTaskStream"),
    "AsyncEvents": ("oxide_client.aio_events", "AsyncEvents"),
    "OxideClient": ("oxide_client.aio", "AsyncOxide"),  # what the contract's example calls it
}


def __getattr__(name: str) -> Any:
    """aiohttp is loaded by who uses it: the command starts in half the time without."""
    if name in _ASYNCHRONOUS:
        module, own_name = _ASYNCHRONOUS[name]
        return getattr(import_module(module), own_name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
