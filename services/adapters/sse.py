"""Bytes as they come, cut into the events of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines without their ends. What stands behind the last line end is cut off, not a line."""
    pending: list[bytes] = []  # joined once a line is whole: a long line in small chunks stays cheap
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            pending.append(part)
            yield b"".join(pending).removesuffix(b"\r")
            pending.clear()
        if rest:
            pending.append(rest)


def json_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The documents of an `application/x-ndjson` stream. The last one may lack its line end."""

    def ended() -> Iterator[bytes]:
        yield from chunks
        yield b"\n"

    return (line for line in lines(ended()) if line.strip())


def sse_data(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The data of each server-sent event. Comments, names and ids mean nothing to any provider's protocol.

    An event that the stream's end cuts off is dropped, as the standard says:
    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    (Of its line ends a lone carriage return is not supported: no provider sends it.)
    """
    data: list[bytes] = []
    for line in lines(chunks):
        if not line:
            if data:
                yield b"\n".join(data)
            data = []
            continue
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
