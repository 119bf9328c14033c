from __future__ import annotations

import pytest

from oxide_client.sse import Decoder

STREAM = 'event: delta\ndata: {"text": "grün 😀"}\n\n: ping\n\nevent: done\ndata: a\ndata: b\n\ndata: last\n\n'.encode()
EVENTS = [("delta", '{"text": "grün 😀"}'), ("done", "a\nb"), ("message", "last")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_events_are_read_however_they_are_cut(size: int, line_end: bytes) -> None:
    decoder, stream = Decoder(), STREAM.replace(b"\n", line_end) + b": end\n"
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [event for piece in pieces for event in decoder.feed(piece)] == EVENTS


def test_an_event_that_is_not_complete_yet_is_not_told() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\xef\xbb\xbfdata: a") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"\n") == [("message", "a")]
    assert decoder.feed(b"event: empty\n\n") == []
