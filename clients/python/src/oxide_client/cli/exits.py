"""Exit statuses, by what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from oxide_client import errors
from oxide_client.errors import OxideError


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_CONNECTION = 3
    NOT_ALLOWED = 4
    TRY_LATER = 5
    OUT_OF_TIME = 6
    INTERRUPTED = 130
    BROKEN_PIPE = 141


EXITS: Mapping[Exit, str] = {
    Exit.DONE: "done",
    Exit.FAILED: "the task failed, or Oxide answered with another error",
    Exit.USAGE: "the command line, or what it asks for, is wrong",
    Exit.NO_CONNECTION: "no connection to Oxide, or it broke",
    Exit.NOT_ALLOWED: "Oxide does not know who you are, or you may not do this",
    Exit.TRY_LATER: "too many requests, or no service is free: try again later",
    Exit.OUT_OF_TIME: "the time ran out",
    Exit.INTERRUPTED: "Ctrl-C; a task was called off",
    Exit.BROKEN_PIPE: "whoever read the output has gone",
}

_OF_ERROR: list[tuple[type[OxideError], Exit]] = [
    (errors.ValidationError, Exit.USAGE),
    (errors.ConnectionFailedError, Exit.NO_CONNECTION),
    (errors.ConnectionLostError, Exit.NO_CONNECTION),
    (errors.UnauthorizedError, Exit.NOT_ALLOWED),
    (errors.ForbiddenError, Exit.NOT_ALLOWED),
    (errors.RateLimitError, Exit.TRY_LATER),
    (errors.ProviderOverloadedError, Exit.TRY_LATER),
    (errors.ServiceUnavailableError, Exit.TRY_LATER),
    (errors.TaskTimeoutError, Exit.OUT_OF_TIME),
    (errors.DeadlineError, Exit.OUT_OF_TIME),
]


def exit_of(error: OxideError) -> Exit:
    return next((exit_ for kind, exit_ in _OF_ERROR if isinstance(error, kind)), Exit.FAILED)


# What the errors call by the names that programs use.
_WORDS = (("base_url", "--url"), ("with timeout.", "with --timeout."))
# What people do next, where the error does not say it. Only Oxide's own errors have a code.
_ADVICE: Mapping[type[OxideError], str] = {
    errors.UnauthorizedError: "Give an access token or a key for programs with OXIDE_TOKEN.",
    errors.ForbiddenError: "Use a token or key that may do this, with OXIDE_TOKEN.",
    errors.ServiceUnavailableError: "Try again later; oxide services shows how the services are.",
    errors.RateLimitError: "Try again later.",
}


def words_of(error: OxideError | ValueError) -> str:
    words = str(error)
    for program, terminal in _WORDS:
        words = words.replace(program, terminal)
    return words


def advice_on(error: OxideError) -> str:
    if error.task_id:
        return f"oxide history {error.task_id} shows what was tried."
    if not error.code:  # another program answered, or nobody
        return ""
    return next((advice for kind, advice in _ADVICE.items() if isinstance(error, kind)), "")
