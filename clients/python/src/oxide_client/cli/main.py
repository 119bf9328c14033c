"""The command `oxide`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO, cast

from oxide_client.blocking import Oxide
from oxide_client.cli import terminal
from oxide_client.cli.arguments import UsageError, parser
from oxide_client.cli.commands import COMMANDS
from oxide_client.cli.exits import Exit, advice_on, exit_of, words_of
from oxide_client.errors import OxideError
from oxide_client.retries import Retries

# Somebody waits and can try again by hand.
_RETRIES = Retries(most=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    _accept_any_text()
    try:
        status = _run(arguments)
        sys.stdout.flush()  # here, where a broken pipe is still caught
    except BrokenPipeError:
        # Or Python would complain about it when it ends: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return status


def _run(arguments: Sequence[str] | None) -> int:
    asked = parser().parse_args(arguments)
    try:
        with _client(asked.url, asked.token) as oxide:
            return COMMANDS[asked.command](oxide, asked)
    except UsageError as error:
        terminal.note(f"oxide: {error}", "red")
        return Exit.USAGE
    except OxideError as error:
        terminal.note(f"oxide: {words_of(error)}", "red")
        if advice := advice_on(error):
            terminal.note(advice)
        return exit_of(error)


def _client(url: str, token: str | None) -> Oxide:
    try:
        return Oxide(url, token, retries=_RETRIES)
    except ValueError as error:
        raise UsageError(words_of(error)) from None


def _accept_any_text() -> None:
    """A terminal that cannot show a character shows another one, and what is no text is read so: no reason to fail."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(AttributeError):  # where something else was put in its place
            cast("_Reconfigurable", stream).reconfigure(errors="replace")


class _Reconfigurable(TextIO):
    def reconfigure(self, *, errors: str) -> None: ...
