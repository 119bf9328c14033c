from __future__ import annotations

import pytest

from oxide_project.plain import MAX_BYTES, PlainRequest

BODY = b'{"prompt": "hi"}'


def request(*headers: str, line: str = "POST /api/tasks/execute/?a=%20b HTTP/1.1", body: bytes = BODY) -> bytes:
    lines = (line, "Host: localhost", *headers, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode("latin-1") + body


def test_it_is_whole_with_its_last_byte_and_not_before() -> None:
    plain, data = PlainRequest(), request("Connection: keep-alive", "X-Two: 1", "x-two:  2 ")
    told = [plain.read(data[place : place + 1]) for place in range(len(data))]
    assert told == [False] * (len(data) - 1) + [True]
    assert plain.open().read() == BODY
    assert plain.raw == data
    scope = plain.scope({"type": "http", "client": ["127.0.0.1", 1]})
    assert scope == {
        "type": "http",
        "client": ["127.0.0.1", 1],
        "http_version": "1.1",
        "method": "POST",
        "path": "/api/tasks/execute/",
        "raw_path": b"/api/tasks/execute/",
        "query_string": b"a=%20b",
        "headers": [
            (b"host", b"localhost"),
            (b"connection", b"keep-alive"),
            (b"x-two", b"1"),
            (b"x-two", b"2"),
            (b"content-length", b"16"),
        ],
    }


def test_a_path_is_decoded() -> None:
    plain = PlainRequest()
    assert plain.read(request(line="GET /v1/models/a%2Fb%3Ac HTTP/1.1", body=b""))
    assert plain.scope({})["path"] == "/v1/models/a/b:c"


def test_what_would_pass_for_another_header_is_left_out() -> None:
    plain = PlainRequest()
    assert plain.read(request("Content_Type: text/plain", "Daphne-Root-Path: /elsewhere"))
    assert [name for name, _ in plain.scope({})["headers"]] == [b"host", b"content-length"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request(line="POST / HTTP/1.0"), id="an old version"),
        pytest.param(request("Connection: close"), id="the last of its connection"),
        pytest.param(request("Connection: keep-alive, x"), id="more of its connection"),
        pytest.param(request("Expect: 100-continue"), id="one that asks before it sends"),
        pytest.param(request("Upgrade: websocket", "Connection: upgrade"), id="another protocol"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", id="chunks"),
        pytest.param(request("Transfer-Encoding: chunked"), id="chunks with a length"),
        pytest.param(request("Content-Length: 5"), id="two lengths"),
        pytest.param(request() * 2, id="two at once"),
        pytest.param(request() + b"GET", id="the beginning of another"),
        pytest.param(request("X-Long: one", " two"), id="a header in two lines"),
        pytest.param(request("X-Odd: a\nX-Other: b"), id="half an end of a line"),
        pytest.param(request("X-Odd: a\x1eb"), id="a byte that no header may hold"),
        pytest.param(request("X-Odd: a\x00b"), id="a NUL character"),
        pytest.param(request("X Odd: a"), id="a space in a name"),
        pytest.param(request(line="GET http://elsewhere/ HTTP/1.1"), id="a whole address"),
        pytest.param(request(line="GET /h\xe9 HTTP/1.1"), id="an address with an accent"),
        pytest.param(request(line="BREW / HTTP/1.1"), id="an unknown method"),
        pytest.param(request(*[f"X-{number}: 1" for number in range(600)]), id="hundreds of headers"),
        pytest.param(request("X-Long: " + "x" * 17_000), id="a long head"),
        pytest.param(request(body=b"x" * MAX_BYTES), id="a long body"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"hello there\r\n\r\n", id="no HTTP"),
    ],
)
def test_whatever_is_odd_is_left_to_twisted(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says nothing: Twisted reads it and answers
        PlainRequest().read(data)
