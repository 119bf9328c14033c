"""What stands in a stream, whatever it is written in and however the network cuts it."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

import pytest

from services.adapters.sse import DONE, ErrorEvent, NoEventsError, documents

SIZES = [1, 2, 3, 7, 1000]


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def read(content: bytes, size: int = 1000) -> list[object]:
    return ["done" if each is DONE else json.loads(each) for each in documents(cut(content, size))]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_events_are_found_however_the_bytes_are_cut(size: int, line_end: bytes) -> None:
    lines = [b": comment", b"event: ping", b'data: {"a":', b"", b"id: 7", b"retry: 3", b"", b"", b""]
    lines[3:3] = [b"data:1}", b"", b'data:{"b":2}']
    assert read(line_end.join(lines), size) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "content",
    [
        b'data: {"a":1}\n\ndata: {"b":[{}]}\n\ndata: [DONE]\n\n',
        b'\xef\xbb\xbfdata: {"a":1}\n\ndata: {"b":[{}]}\n\ndata: [DONE]\n\n',
        b'data:{"a":1}\n\ndata:\n\ndata: \n\ndata\n\n: x\n\ndata:{"b":[{}]}\n\ndata:[DONE]',
        b'data: {"a":1}\ndata: {"b":[{}]}\ndata: [DONE]\n',
        b'event: x\ndata: {"a":1}\nevent: y\ndata: {"b":[{}]}\nevent: z\ndata: [DONE]',
        b': OPENROUTER PROCESSING\ndata: keep-alive\n\ndata: {"a":1}\n\nping\n\ndata: {"b":[{}]}\n\n  [DONE]  \n',
        b'{"a":1}\n{"b":[{}]}\ndata: [DONE]\n\n',
        b'\xef\xbb\xbf\n{"a":1}\n\n: x\n{"b":[{}]}\n[DONE]',
        b'{\n "a": 1\n}\n{\n "b": [\n  {}\n ]\n}\n[DONE]\n',
        b'[{"a":1},{"b":[{}]}]\n[DONE]\n',
        b'[{\n"a": 1\n}\n,\n{"b":\n[{}]}\n]\ndata: [DONE]',
        b'data: {"a":1}\n\n{"b":[{}]}data: [DONE]\n\ndata: [DONE]\n\n',
        b'data: [{"a":1},\ndata: {"b":[{}]}]\n\ndata: [DONE]\n\n',
        b'  data: {"a":1}\n  data: {"b":[{}]}\n  data: [DONE]',
    ],
)
def test_the_form_of_a_stream_is_told_from_its_bytes(content: bytes, size: int) -> None:
    assert read(content, size) == [{"a": 1}, {"b": [{}]}, "done"]


@pytest.mark.parametrize("size", SIZES)
def test_brackets_and_line_marks_within_strings_mean_nothing(size: int) -> None:
    document = {"text": 'a } ] { [ "quoted" \\ data: x', "é": "\U0001f600", "nested": [[{"a": "}"}], []]}
    bare = json.dumps(document, indent=1, ensure_ascii=False).encode()
    assert read(b"data: " + json.dumps(document).encode() + b"\n\n" + bare + b"\n" + bare, size) == [document] * 3


@pytest.mark.parametrize("size", SIZES)
def test_an_event_that_is_cut_off_is_dropped_unless_its_json_is_whole(size: int) -> None:
    assert read(b'data: {"a":1}\n\ndata: {"b":', size) == [{"a": 1}]
    assert read(b'data: {"a":1}\n\ndata: {"b":2}', size) == [{"a": 1}, {"b": 2}]
    assert read(b'data: {"a":1}\n\ndata: {"b":\ndata: 2}', size) == [{"a": 1}, {"b": 2}]
    assert read(b'{"a":1}\n{"b":2', size) == [{"a": 1}]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "content",
    [
        b'data: {"a":1}\n\nevent: error\ndata: {"why":1}\n\n',
        b'data: {"a":1}\nevent: error\ndata: {"why":1}\n',
        b'data: {"a":1}\n\nevent:error\ndata:{"why":\ndata: 1}',
        b'data: {"a":1}\n\ndata: {"why":1}\nevent: error\n\n',
    ],
)
def test_an_error_event_ends_the_stream(content: bytes, size: int) -> None:
    if size == 1000 or b"event: error\n\n" not in content:  # else its data is whole before its name comes
        events = documents(cut(content, size))
        assert next(events) == b'{"a":1}'
        with pytest.raises(ErrorEvent) as caught:
            next(events)
        assert json.loads(caught.value.data) == {"why": 1}


def test_an_error_event_may_hold_a_text() -> None:
    with pytest.raises(ErrorEvent) as caught:
        list(documents([b"event: error\ndata: out of credit\n\n"]))
    assert caught.value.data == b"out of credit"


def test_the_name_error_holds_for_one_event() -> None:
    assert read(b'event: error\n\ndata: {"a":1}\n\nevent: error\nevent: message\ndata: {"b":2}\n\n') == [
        {"a": 1},
        {"b": 2},
    ]


@pytest.mark.parametrize(
    "content", [b"<!doctype html><h1>Welcome</h1>", b"null", b'"text"', b"data: hello\n\n", b'{"a":\n']
)
def test_text_without_any_document_is_no_stream(content: bytes) -> None:
    with pytest.raises(NoEventsError, match="it begins with"):
        list(documents([content]))


def test_nothing_holds_no_document() -> None:
    assert read(b"") == read(b"\n\n: ping\n\n") == []


@pytest.mark.parametrize(
    "chunks",
    [
        [b'data: {"a":1}\n', b'\ndata: {"b":2}\n\n', b"data: [DONE]\n"],
        [b'data: {"a":1}', b'\n\ndata: {"b":2}', b"\n\ndata: [DONE]\n"],
        [b'data: {"a":1}\r\r', b'data: {"b":2}\r\r', b"data: [DONE]\r"],
        [b'{"a":1}', b'\n{"b":2}', b"\n[DONE]\n"],
        [b'event: x\ndata: {"a":1}\n\n', b'event: x\ndata: {"b":2}\n\n', b"data: [DONE]\n"],
        [b'[{"a":1}\n', b',{"b":2}\n', b"]\n[DONE]\n"],
    ],
)
def test_a_document_comes_out_as_soon_as_it_is_whole(chunks: list[bytes]) -> None:
    came: list[bytes] = []

    def sent() -> object:
        for chunk in chunks:
            came.append(chunk)
            yield chunk

    found = [(each, len(came)) for each in documents(sent())]  # type: ignore[arg-type]
    assert found == [(b'{"a":1}', 1), (b'{"b":2}', 2), (DONE, 3)]


def test_a_whole_object_within_a_longer_event_does_not_end_it() -> None:
    chunks = [b'data: {"a":\ndata: {"b":1}', b"\ndata: }\n\n", b"[\n", b'{"c":[\n{"d":1}', b"\n]}]\n"]
    assert [json.loads(each) for each in documents(chunks)] == [{"a": {"b": 1}}, {"c": [{"d": 1}]}]


def test_long_lines_and_deep_nesting_take_no_longer_than_their_length() -> None:
    hostile = [
        b'{"a":"' + b'\\"' * 500_000,
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b'data: {"a":"' + b"}" * 500_000,
        b'{"a":\n' + b'"\\' * 300_000,
    ]
    for content in hostile:
        for size in (65_536, len(content)):
            with suppress(NoEventsError):
                list(documents(cut(content, size)))


def test_each_document_is_found_once() -> None:
    content = b"".join(b'event: e\ndata: {"n":%d}\n\n' % number for number in range(200))
    found = [document["n"] for document in read(content, 37)]  # type: ignore[index]
    assert all(later == earlier + 1 for earlier, later in pairwise(found))
    assert len(found) == 200
