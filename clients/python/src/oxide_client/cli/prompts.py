"""What a task is asked, from the command line and from standard input."""

from __future__ import annotations

import codecs
import os
import re
import select
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from oxide_client.cli import terminal
from oxide_client.cli.arguments import UsageError

_PATIENCE_SECONDS = 5.0
_SOCKET_SECONDS = 2.0
# PowerShell writes such files. The longer mark begins with the shorter one.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Text in an older encoding has none of these, images, archives and programs do. Escapes colour the output of tools.
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")


def prompt_of(command: str, given: str | None) -> str:
    """The prompt of the command line, a blank line, and what a pipe or a file brings; either may be missing.

    `-` stands for standard input alone. Raises `UsageError`.
    """
    if given is None and _is_terminal():
        raise UsageError(f'Say what is to be done: oxide {command} "Explain quantum computing".')
    if given in (None, "-"):
        prompt = _standard_input()
    else:
        prompt = "\n\n".join(part for part in (given, _piped()) if part and part.strip())
    if not prompt.strip():
        raise UsageError("The prompt is empty: say what is to be done.")
    return prompt


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _piped() -> str:
    """What comes beside a prompt; nothing is waited for at a terminal."""
    if _is_terminal() or _is_silent_socket():
        return ""
    with _patience():
        return _standard_input()


def _is_silent_socket() -> bool:
    """Programs that start others often leave a socket open that they never write to; a shell's pipe is none."""
    try:
        if not stat.S_ISSOCK(os.fstat(sys.stdin.fileno()).st_mode):
            return False
        return not select.select([sys.stdin], [], [], _SOCKET_SECONDS)[0]
    except (AttributeError, OSError, ValueError):  # closed, or replaced by another stream
        return False


def _standard_input() -> str:
    if sys.stdin is None:  # closed: oxide ask … <&-
        return ""
    try:
        return _text(sys.stdin.buffer.read())
    except OSError as error:  # a directory, or closed for reading
        raise UsageError(f"Standard input cannot be read ({error.strerror}).") from None
    except MemoryError:
        raise UsageError("Standard input does not fit into memory: send less of it.") from None


def _text(content: bytes) -> str:
    """Raises `UsageError` for what is no text. Signs of an older encoding are replaced."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    content = content[len(mark) :]
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        if mark or _BINARY.search(content):
            raise _not_text() from None
        text = content.decode("utf-8", "replace")
    if "\x00" in text:
        raise _not_text()
    return text.replace("\r\n", "\n")


def _not_text() -> UsageError:
    return UsageError("Standard input holds binary data, not text: convert it to text first.")


@contextmanager
def _patience() -> Iterator[None]:
    """Say what is waited for where a pipe stays open and brings nothing, as in some scripts and schedulers."""
    waits = "Waiting for the end of standard input. Without any: oxide … < /dev/null"
    timer = threading.Timer(_PATIENCE_SECONDS, terminal.note, [waits])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
