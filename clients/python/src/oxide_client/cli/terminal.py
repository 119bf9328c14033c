"""What a terminal can show, and what goes where: answers to standard output, everything else to standard error."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import unicodedata
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

from oxide_client.typing_names import Self

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}
_CLEAR_LINE = "\r\x1b[K"
_QUIET_SECONDS = 0.4
_TICK_SECONDS = 0.1
_WIDE = ("W", "F")


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """With colour only on a terminal, and not where somebody asks for none: https://no-color.org"""
    if not is_terminal(stream) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def out(text: str) -> None:
    """A line of what was asked for."""
    say(f"{text}\n")


def say(text: str) -> None:
    """Any part of it, at once. What a model wrote may not steer the terminal of who reads it."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def note(text: str, colour: str = "") -> None:
    """A line about it."""
    sys.stderr.write(f"{coloured(printable(text), colour, sys.stderr) if colour else printable(text)}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """Without control characters, but for the ends of lines and tabs."""
    return "".join(sign if sign in "\n\t" or unicodedata.category(sign) != "Cc" else "\ufffd" for sign in text)


class Progress:
    """Says on a terminal that work goes on, once that takes a moment: a line that is gone when it ends."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        encoding = (sys.stderr.encoding or "").lower().replace("-", "")
        self._signs = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if encoding == "utf8" else "|/-\\"

    def __enter__(self) -> Self:
        if is_terminal(sys.stderr):
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _draw(self) -> None:
        if self._ended.wait(_QUIET_SECONDS):
            return
        turn = 0
        while not self._ended.wait(_TICK_SECONDS):
            sign = coloured(self._signs[turn % len(self._signs)], "yellow", sys.stderr)
            seconds = f"{time.monotonic() - self._started:.0f} s"
            sys.stderr.write(f"{_CLEAR_LINE}{sign} {self._what} {seconds} (Ctrl-C calls it off)")
            sys.stderr.flush()
            turn += 1
        sys.stderr.write(_CLEAR_LINE)
        sys.stderr.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns under their names. On a terminal the last one is cut to what fits; in a pipe nothing is."""
    lines = [[one_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
    room = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * (len(widths) - 1)
    for number, line in enumerate(lines):
        last = _cut(line[-1], max(room, 10)) if sys.stdout.isatty() else line[-1]
        cells = [f"{cell}{' ' * (width - _width(cell))}" for cell, width in zip(line[:-1], widths, strict=False)]
        text = "  ".join([*cells, last]).rstrip()
        sys.stdout.write(f"{coloured(text, 'bold', sys.stdout) if number == 0 else text}\n")


def one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _cut(text: str, room: int) -> str:
    if _width(text) <= room:
        return text
    kept, width = "", 0
    for sign in text:
        width += _width(sign)
        if width > room - 1:
            break
        kept += sign
    return f"{kept}…"


def _width(text: str) -> int:
    """Columns on a terminal: Chinese, Japanese and Korean signs take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in _WIDE else 1 for sign in text)
