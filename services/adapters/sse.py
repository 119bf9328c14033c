"""The bytes of a stream, cut into the JSON documents in it: server-sent events, a document a line, or bare JSON.

What a stream is written in is told from its bytes. Its Content-Type says nothing certain: servers, and the proxies
before them, send each of these forms under the name of another, and errors as bare JSON between events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

DONE: Final = b"[DONE]"
"""The mark at the end of OpenAI's streams, told from other documents by its identity (`is DONE`)."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SHOWN: Final = 200
_MOST_PIECES: Final = 8
_ANY: Final = msgspec.json.Decoder(msgspec.Raw)
# Strings, so that brackets in them do not count, and brackets. A string that is not closed ends with its line.
_TOKENS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_MEANINGLESS: Final = (b":", b"id:", b"retry:")


class ErrorEvent(Exception):  # noqa: N818 - an event of that name
    """The event named "error" in a stream. `data` is what it says, as JSON or as a text."""

    def __init__(self, data: bytes) -> None:
        super().__init__("the stream reports an error")
        self.data = data


class NoEventsError(Exception):
    """There is text, but no document in it."""

    def __init__(self, text: bytes) -> None:
        shown = " ".join(text[:_SHOWN].decode("utf-8", "replace").split())
        super().__init__(f"it begins with {shown!r}" if shown else "it is empty")


def documents(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Each JSON document as soon as it is whole, and `DONE` for the mark of the end. A list counts as its elements.

    An event that the stream's end cuts off is dropped, unless its JSON is whole: the standard would drop that too, but
    some servers leave out the last blank line, and vendors' own clients take it.
    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

    Raises `ErrorEvent`, and `NoEventsError` at the end of a stream that holds text and no document.
    """
    lines, event, bare = _Lines(), _Event(), _BareJson()
    for chunk in chunks:
        if not (lines.pending or event.has_begun or bare.is_open) and (document := _only_document(chunk)):
            event.found = True
            yield document
            continue
        yield from _in_lines(lines.of(chunk), event, bare)
        if (lines.pending or event.data) and not bare.is_open:
            yield from _early(lines, event)
    yield from _in_lines(lines.rest(), event, bare)
    yield from event.rest()
    text = event.text or bare.rest
    if text and not (event.found or bare.found):
        raise NoEventsError(text)


def _only_document(chunk: bytes) -> bytes:
    """The document in a chunk that holds one in the usual form and nothing else, as most do."""
    if chunk[:7] == b"data: {":
        return chunk[6:-2] if chunk[-3:] == b"}\n\n" and chunk.count(b"\n") == 2 else b""
    if chunk[:7] == b"event: ":
        name, _, data = chunk.partition(b"\n")
        is_one = data[:7] == b"data: {" and data[-3:] == b"}\n\n" and data.count(b"\n") == 2
        return data[6:-2] if is_one and b"error" not in name else b""
    is_line = chunk[:1] == b"{" and chunk[-2:] == b"}\n" and chunk.count(b"\n") == 1
    return chunk[:-1] if is_line and _is_json(chunk) else b""


def _in_lines(lines: list[bytes], event: _Event, bare: _BareJson) -> Iterator[bytes]:
    data = event.data
    for line in lines:
        if not line:
            if len(data) != 1 or event.is_odd:
                yield from event.end()
            else:
                event.found = True
                yield data.pop()
        elif bare.is_open:
            yield from bare.cut(line)
        elif line[:7] == b"data: {" and not data:
            data.append(line[6:])
        elif line[:5] == b"data:":
            yield from event.take(line[6:] if line[5:6] == b" " else line[5:])
        elif line[:6] == b"event:":
            event.name(line[6:])
        else:
            yield from _outside(line, event, bare)


def _early(lines: _Lines, event: _Event) -> Iterator[bytes]:
    """What is whole by the end of a chunk, though the line end or the blank line behind it is missing.

    Neither may ever come, on a connection that stays open.
    """
    if lines.pending:
        if not event.data and (document := lines.pending_document()):
            lines.pending.clear()
            event.data.append(document)
            yield from event.end()
    elif event.data and _is_json(event.whole):
        yield from event.end_before_next()


def _outside(line: bytes, event: _Event, bare: _BareJson) -> Iterator[bytes]:
    """The documents in a line that is no data of an event."""
    if line.startswith(_MEANINGLESS):
        return
    text = line.removeprefix(_BYTE_ORDER_MARK).strip()
    if text[:1] == b"{" and text[-1:] == b"}" and _is_json(text):
        yield from event.end()
        bare.found = True
        yield text
    elif text == DONE:
        yield from event.end()
        yield DONE
    elif text[:1] in (b"{", b"["):
        yield from event.end()
        yield from bare.cut(text)
    elif text.startswith(b"data:"):
        yield from event.take(text[5:].removeprefix(b" "))
    elif text.startswith(b"event:"):
        event.name(text[6:])
    else:
        event.text = event.text or text


class _Event:
    """One server-sent event that has begun. `text` is the first that was no document."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.found = False
        self.is_odd = False
        self.text = b""
        self._error_at: int | None = None  # how many lines of data came before the name "error"

    @property
    def whole(self) -> bytes:
        return b"\n".join(self.data)

    @property
    def has_begun(self) -> bool:
        return self.is_odd or bool(self.data)

    def name(self, name: bytes) -> None:
        if name.strip() == b"error":
            self._error_at, self.is_odd = len(self.data), True
        elif self._error_at == len(self.data):
            self._error_at = None

    def take(self, value: bytes) -> Iterator[bytes]:
        """A line of data that is not simply the first, beginning with a brace."""
        text = value.strip()
        if text == DONE:
            yield from self.end()
            yield DONE
        elif self.data:
            # No JSON goes on with a brace behind a closed one: the blank line between two events is missing.
            if text[:1] == b"{" and self.data[-1].rstrip()[-1:] == b"}":
                yield from self.end_before_next()
            self.data.append(value)
        elif text[:1] in (b"{", b"[") or (text and self.is_odd):
            self.data.append(value)
            self.is_odd = self.is_odd or text[:1] != b"{"
        else:  # a sign of life, or of nothing that is known
            self.text = self.text or text

    def end(self) -> Iterator[bytes]:
        data, is_error = self.whole, self._error_at is not None
        self.data.clear()
        self._error_at, self.is_odd = None, False
        if not data:
            return
        if is_error:
            raise ErrorEvent(data)
        self.found = True
        if data[:1] == b"{":
            yield data
        else:
            yield from _elements(data)

    def rest(self) -> Iterator[bytes]:
        """At the end of the stream: what has come of an event whose blank line has not."""
        if self.data and (self._error_at is not None or _is_json(self.whole)):
            yield from self.end()

    def end_before_next(self) -> Iterator[bytes]:
        """End the event before the data at hand, to which a name belongs that stands between the two."""
        names_next = self._error_at == len(self.data)
        if names_next:
            self._error_at = None
        yield from self.end()
        if names_next:
            self._error_at, self.is_odd = 0, True


class _BareJson:
    """JSON that stands in a stream by itself, over one line or many. Of a list each element comes as it is whole."""

    def __init__(self) -> None:
        self.found = False
        self.is_open = False
        self._pieces: list[bytes] = []
        self._depth = 0
        self._in_list = False

    def cut(self, line: bytes) -> Iterator[bytes]:
        start = 0
        for token in _TOKENS.finditer(line):
            mark = line[token.start() : token.start() + 1]
            if mark in (b"{", b"["):
                if self._depth == 0 and mark == b"[" and not self._in_list:
                    self._in_list = True
                    continue
                start = start if self._depth else token.start()
                self._depth += 1
            elif mark != b'"':
                if self._depth == 0:
                    self._in_list = False
                    continue
                self._depth -= 1
                if self._depth == 0:
                    yield self._whole(line[start : token.end()])
        self.is_open = self._depth > 0 or self._in_list
        if self._depth:
            self._pieces += (line[start:], b"\n")

    @property
    def rest(self) -> bytes:
        """What the end of the stream has cut off."""
        return b"".join(self._pieces)

    def _whole(self, end: bytes) -> bytes:
        self._pieces.append(end)
        document = b"".join(self._pieces)
        self._pieces.clear()
        self.found = True
        return document


def _elements(data: bytes) -> Iterator[bytes]:
    """The objects in the list that an event holds."""
    bare = _BareJson()
    for line in data.split(b"\n"):
        yield from bare.cut(line)


class _Lines:
    """Cuts chunks into lines, at any of the three line ends. `pending` is what has come of the last one.

    It is joined once the line is whole: a long line in small chunks stays cheap.
    """

    def __init__(self) -> None:
        self.pending: list[bytes] = []
        self._after_return = False

    def of(self, chunk: bytes) -> list[bytes]:
        """The lines that a chunk makes whole, without their ends."""
        if self._after_return or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        lines = chunk.split(b"\n")
        if self.pending:
            self.pending.append(lines[0])
            if len(lines) == 1:
                return []
            lines[0] = b"".join(self.pending)
            self.pending.clear()
        if rest := lines.pop():
            self.pending.append(rest)
        return lines

    def rest(self) -> list[bytes]:
        """What the end of the stream leaves without a line end."""
        return [b"".join(self.pending)] if self.pending else []

    def pending_document(self) -> bytes:
        """The document in the last line, if that is whole but for its end."""
        if len(self.pending) > _MOST_PIECES or self.pending[-1][-1:] != b"}":
            return b""
        text = b"".join(self.pending).removeprefix(_BYTE_ORDER_MARK).removeprefix(b"data:").strip()
        return text if text[:1] == b"{" and _is_json(text) else b""

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if self._after_return and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_return = False
        if chunk:
            self._after_return = chunk[-1:] == b"\r"
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _is_json(text: bytes) -> bool:
    try:
        _ANY.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
