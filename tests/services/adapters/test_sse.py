from __future__ import annotations

import pytest

from services.adapters.sse import json_lines, sse_data


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_events_are_found_however_the_bytes_are_cut(size: int, line_end: bytes) -> None:
    lines = [b": comment", b"event: ping", b"data: one", b"", b"data:two", b"id: 7", b"data:  three", b"", b"", b""]
    content = line_end.join(lines)
    assert list(sse_data(cut(content, size))) == [b"one", b"two\n three"]


def test_an_event_without_data_is_none() -> None:
    assert list(sse_data([b"event: ping\n\n: x\n\ndata\n\ndata: 1\n\n"])) == [b"", b"1"]


def test_an_event_that_is_cut_off_is_dropped() -> None:
    assert list(sse_data([b"data: 1\n\ndata: {", b'"a":'])) == [b"1"]
    assert list(sse_data([b"data: 1\n\ndata: 2\n"])) == [b"1"]


def test_a_byte_order_mark_is_skipped() -> None:
    assert list(sse_data([b"\xef\xbb", b"\xbfdata: 1\n\n"])) == [b"1"]


def test_a_letter_cut_in_two_arrives_whole() -> None:
    assert list(sse_data(cut("data: Größe\n\n".encode(), 1))) == ["Größe".encode()]


def test_an_event_comes_out_as_soon_as_it_is_whole() -> None:
    events = sse_data(iter([b"data: 1\n", b"\ndata: 2", b"\n\n"]))
    assert next(events) == b"1"
    assert next(events) == b"2"


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_json_lines_may_end_without_a_line_end(size: int) -> None:
    assert list(json_lines(cut(b'{"a":1}\n\n{"b":2}\r\n{"c":3}', size))) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
