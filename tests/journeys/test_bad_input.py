"""What a real process makes of requests that are wrong: a 4xx that says so, and nothing else happens."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.live import LiveOxide

pytestmark = pytest.mark.xdist_group("bad-input")  # one process serves them all

EXECUTE = "/api/tasks/execute/"
HISTORY = "/api/tasks/history/"
SERVICES = "/api/services/"
JSON = {"Content-Type": "application/json"}
NO_SUCH_TASK = "00000000-0000-0000-0000-000000000000"
TASK = {"prompt": "What is quantum computing?", "service": "echo"}


@pytest.fixture(scope="module")
def oxide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveOxide]:
    live = LiveOxide(tmp_path_factory.mktemp("bad-input"))
    try:
        live.start()
        yield live
        # Django itself logs each foreign Host as an error.
        assert not re.findall(r"^.* (?:ERROR|CRITICAL) (?!django\.security).*$", live.log, re.MULTILINE)
    finally:
        live.kill()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def send(oxide: LiveOxide, data: bytes) -> Answer:
    """Bytes as they are, so that no library corrects them on the way."""
    port = urlsplit(oxide.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(data)
        response = HTTPResponse(sock, method="HEAD" if data.startswith(b"HEAD ") else None)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def ask(
    oxide: LiveOxide, method: str, path: str | bytes, body: bytes = b"", headers: dict[str, str] | None = None
) -> Answer:
    lines = {"Host": "localhost", **(JSON if body else {}), **(headers or {})}
    if body and "Transfer-Encoding" not in lines:
        lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    target = path if isinstance(path, bytes) else path.encode()
    return send(
        oxide, method.encode("latin-1") + b" " + target + b" HTTP/1.1\r\n" + head.encode("latin-1") + b"\r\n" + body
    )


def chunked(body: bytes, size: int = 65_536) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def total(oxide: LiveOxide) -> int:
    return int(ask(oxide, "GET", f"{HISTORY}?limit=1").json["total"])


def assert_refused(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer.content
    assert answer.headers["content-type"] == "application/json"
    assert answer.json.keys() >= {"error", "detail", "code"}
    assert answer.json["code"] == code
    assert len(answer.json["detail"]) > 10


@dataclass(frozen=True)
class Case:
    name: str
    method: str = "GET"
    path: str | bytes = SERVICES
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 400
    code: str = "VALIDATION_ERROR"


def task(name: str, body: bytes | None = None, **fields: Any) -> Case:
    """A task with one thing wrong."""
    return Case(name, "POST", EXECUTE, json.dumps({**TASK, **fields}).encode() if body is None else body, JSON)


def query(text: str) -> Case:
    return Case(f"history?{text[:40]}", path=f"{HISTORY}?{text}")


def wrap(inner: bytes) -> bytes:
    """Put JSON where a task takes any JSON at all."""
    return b'{"prompt": "Hello.", "service": "echo", "parameters": {"x": ' + inner + b"}}"


WRONG_TYPES: dict[str, list[Any]] = {
    "prompt": [5, True, ["x"], {"x": 1}],
    "messages": ["x", {}, [1], [{"role": "boss", "content": "x"}], [{"content": "x"}]],
    "task_type": [1, "nope", ["chat"], ""],
    "service": [1, [], {}, "nope"],
    "model": [1, {}, "x" * 201],
    "max_tokens": ["5", 1.5, 0, -1, True, 10**9],
    "temperature": ["1", -1, 3, True, []],
    "stop": [1, {}, [1]],
    "tools": ["x", {}, [1], [{"type": "function"}]],
    "tool_choice": [1, "maybe", {"type": "function", "function": {"name": "not_there"}}],
    "response_format": ["json", [], {"type": "json_schema"}],
    "parameters": ["x", [1], 5],
    "timeout_seconds": ["1", 0, -1, 1e9, True],
    "background": ["yes", 1, []],
    "api_base": ["http://evil.example"],
    "api_key": ["sk-stolen"],
    "user_id": [1],
    "is_superuser": [True],
}

BODIES = {
    "nothing": b"",
    "a brace": b"{",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"hello"',
    "NaN": b"NaN",
    "NaN inside": wrap(b"NaN"),
    "Infinity": wrap(b"-Infinity"),
    "1e999": wrap(b"1e999"),
    "a 31-digit integer": wrap(b"9" * 31),
    "a 5,000-digit integer": wrap(b"9" * 5000),
    "a key twice": b'{"prompt": "a", "prompt": "b", "service": "echo"}',
    "two documents": json.dumps(TASK).encode() * 2,
    "single quotes": b"{'prompt': 'x'}",
    "a trailing comma": b'{"prompt": "x",}',
    "invalid UTF-8": b'{"prompt": "\xff\xfe", "service": "echo"}',
    "UTF-16": json.dumps(TASK).encode("utf-16"),
    "NUL escaped": b'{"prompt": "a\\u0000b", "service": "echo"}',
    "NUL in a key": wrap(b'{"a\\u0000": 1}'),
    "NUL raw": b'{"prompt": "a\x00b", "service": "echo"}',
    "half a surrogate": b'{"prompt": "\\ud800", "service": "echo"}',
    "the other half": b'{"prompt": "\\udc00 x", "service": "echo"}',
    "101 levels": wrap(b"[" * 101 + b"]" * 101),
    "100,000 levels": wrap(b"[" * 100_000 + b"]" * 100_000),
    "100,000 levels of objects": wrap(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "100,000 opening brackets": b"[" * 100_000,
    "100,000 keys": json.dumps({**TASK, **{f"k{i}": i for i in range(100_000)}}).encode(),
    "gzip": gzip.compress(json.dumps(TASK).encode()),
}

QUERIES = [
    *("limit=-1", "limit=0", "limit=1001", "limit=1000000000", "limit=9223372036854775808", f"limit={'9' * 5000}"),
    *("limit=abc", "limit=", "limit=1.5", "limit=null", "limit=5&limit=abc", "limit=%D9%A3", "limit=0x10", "limit=--1"),
    *("offset=-1", "offset=abc", "offset=9223372036854775808", f"offset={'9' * 30}"),
    *("status=nope", "status=", "task_type=nope", f"service={'a' * 51}", f"search={'a' * 201}"),
    *("search=" + "%25" * 5000, "search=%00", "search=a%00b", "service=%00", "%00=1"),
    *("created_after=yesterday", "created_after=2024-01-01", "created_after=nan", "created_after=1e400"),
    *("created_after=0001-01-01T00:00:00%2B14:00", "created_before=9999-12-31T23:59:59-14:00"),
    *("foo=1", "a", "=", ";", "ordering=password", "page=../", "_method=DELETE"),
    *("prompt__contains=x", "status__in=a", "id__gte=0", "service__name=x", "task__runner__isnull=1"),
    *("&".join(f"a{i}=1" for i in range(1001)), "&" * 1001),
]

NOWHERE = [
    *("/nope", "/api", "/api/", "/api/nope/", "/api//services/", "/api/../api/services/", "/api/%2e%2e/services/"),
    *("/api/services/nope/", "/api/services/%FF/", "/api/services/%ZZ/", "/api/services/%/", "/api/services/%C3%A9"),
    *("/api/services/echo%0A", "/api/services/%0d%0aX-Evil:1", "/api/services/..%2f..%2fetc%2fpasswd"),
    *(f"/api/services/{'a' * 10_000}", "/api/tasks/nope/", "/api/tasks/1/", f"/api/tasks/{NO_SUCH_TASK}/"),
    *(f"/api/tasks/{NO_SUCH_TASK}%0A", "/static/../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd", "*"),
    *("http://evil.example/api/services/", "/api/services/#fragment"),
]

METHODS = {
    SERVICES: ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO", "X" * 1000],
    EXECUTE: ["GET", "PUT", "PATCH", "DELETE"],
    HISTORY: ["POST", "PUT", "DELETE"],
    f"/api/tasks/{NO_SUCH_TASK}/": ["POST", "PUT", "DELETE"],
    f"/api/tasks/{NO_SUCH_TASK}/cancel/": ["GET", "DELETE"],
}

MEDIA_TYPES = [
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain", ""),
    *(";;;", "a/b/c", "application/xml", "application/json, text/plain", "application/json;" * 500),
]

HOSTS = [
    *("evil.example", "", "localhost/", "localhost?", "localhost#", "local host", "localhost@evil.example", "[::1"),
    *("127.0.0.1:abc", "localhost,evil.example", "\xff", "a_b"),
]

NOT_HTTP = {
    "501 headers": "".join(f"X-{i}: 1\r\n" for i in range(501)).encode("ascii"),
    "a header of 17 KB": b"X-A: " + b"1" * 17_000 + b"\r\n",
    "a header without a colon": b"X-A\r\n",
    "a space in a header's name": b"X A: 1\r\n",
    "NUL in a header": b"X-A: a\x00b\r\n",
    "a length that is none": b"Content-Length: abc\r\n",
    "a negative length": b"Content-Length: -1\r\n",
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "an unknown transfer encoding": b"Transfer-Encoding: gzip\r\n",
    "no chunks where they were announced": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}

CASES = [
    *(task(f"{name}={value!r:.30}", **{name: value}) for name, values in WRONG_TYPES.items() for value in values),
    *(task(name, body) for name, body in BODIES.items()),
    task("an empty prompt", prompt=""),
    task("only spaces", prompt=" \t\n\u3000"),
    task("prompt and messages", messages=[{"role": "user", "content": "x"}]),
    task("neither prompt nor messages", prompt=None),
    task("no message of a user", prompt=None, messages=[{"role": "system", "content": "x"}]),
    *(query(text) for text in QUERIES),
    *(Case(f"nowhere {path[:40]}", path=path, status=404, code="NOT_FOUND") for path in NOWHERE),
    *(
        Case(f"{method[:10]} {path}", method, path, status=405, code="METHOD_NOT_ALLOWED")
        for path, methods in METHODS.items()
        for method in methods
    ),
    *(
        Case(
            f"content type {media_type[:35]!r}", "POST", EXECUTE, json.dumps(TASK).encode(),
            {"Content-Type": media_type}, status=415, code="UNSUPPORTED_MEDIA_TYPE",
        )
        for media_type in MEDIA_TYPES
    ),
    Case(
        "a content type in no encoding", "POST", EXECUTE, json.dumps(TASK).encode(),
        {"Content-Type": "application/json; x*=no-such-encoding''%41"},
    ),
    *(Case(f"host {host!r}", headers={"Host": host}) for host in HOSTS),
    Case(
        "X-HTTP-Method-Override", "POST", headers={"X-HTTP-Method-Override": "GET"},
        status=405, code="METHOD_NOT_ALLOWED",
    ),
    Case("NUL in the path", path="/api/services/%00"),
    Case("NUL in a static file's path", path="/static/%00"),
    Case("raw bytes in the path", path="/api/services/é".encode()),
    Case("raw bytes in the query", path=f"{HISTORY}?search=é".encode()),
    Case("a space in the path", path="/api/services/ x"),
    Case("a method that is no text", "\xe9"),
    *(
        Case(
            f"root path {root!r}", path="/x/api/services/", headers={"Daphne-Root-Path": root},
            status=404, code="NOT_FOUND",
        )
        for root in ("/x", "\xff")
    ),
    Case("cancel an unknown task", "POST", f"/api/tasks/{NO_SUCH_TASK}/cancel/", status=404, code="NOT_FOUND"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_request_is_refused_and_changes_nothing(oxide: LiveOxide, case: Case) -> None:
    before = total(oxide)
    answer = ask(oxide, case.method, case.path, case.body, case.headers)
    assert_refused(answer, case.status, case.code)
    if case.status == 405:
        assert answer.headers["allow"]
    assert total(oxide) == before


@pytest.mark.parametrize("lines", NOT_HTTP.values(), ids=NOT_HTTP)
def test_what_is_no_http_is_told_so(oxide: LiveOxide, lines: bytes) -> None:
    answer = send(oxide, b"POST /api/tasks/execute/ HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n")
    assert_refused(answer, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", b"GET /api/services/\r\n\r\n", b"\r\nfoo\r\n\r\n"]
)
def test_garbage_is_told_so(oxide: LiveOxide, data: bytes) -> None:
    assert_refused(send(oxide, data), 400, "VALIDATION_ERROR")


def test_an_unknown_service_is_told_which_there_are(oxide: LiveOxide) -> None:
    answer = ask(oxide, "POST", EXECUTE, json.dumps({**TASK, "service": "nope"}).encode())
    assert "echo" in answer.json["detail"]


def test_an_unknown_task_type_is_told_which_there_are(oxide: LiveOxide) -> None:
    answer = ask(oxide, "POST", EXECUTE, json.dumps({**TASK, "task_type": "nope"}).encode())
    assert "code_generation" in answer.json["detail"]


@pytest.mark.parametrize(
    "prompt",
    [
        "x" * 5_000_000,
        "Ümläut, 世界, 😀, \u202ertl, e\u0301, \u200d\ufeff" * 20_000,
        '\\"\n\t\r\x01\x7f' * 1000,
        "../../etc/passwd {{7*7}} ${jndi:ldap://x} <script>alert(1)</script> =cmd() %00 '; DROP TABLE tasks_task; --",
    ],
    ids=["5 MB", "unicode", "control characters", "tricks"],
)
def test_a_prompt_comes_back_as_it_was(oxide: LiveOxide, prompt: str) -> None:
    for ascii_only in (True, False):
        body = json.dumps({**TASK, "prompt": prompt}, ensure_ascii=ascii_only).encode()
        answer = ask(oxide, "POST", EXECUTE, body)
        assert answer.status == 200
        assert answer.json["result"] == prompt
    stored = ask(oxide, "GET", f"/api/tasks/{answer.json['task_id']}/")
    assert stored.json["prompt"] == prompt


def test_json_a_hundred_levels_deep_is_taken(oxide: LiveOxide) -> None:
    assert ask(oxide, "POST", EXECUTE, wrap(b"[" * 98 + b"]" * 98)).status == 200


@pytest.mark.parametrize("pattern", ["%25", "_", "%5C", "*", ".*%2B", "'%22", "(a%2B)%2B"])
def test_a_search_takes_every_character_as_it_is(oxide: LiveOxide, pattern: str) -> None:
    ask(oxide, "POST", EXECUTE, json.dumps({**TASK, "prompt": "nothing special"}).encode())
    answer = ask(oxide, "GET", f"{HISTORY}?search={pattern * 40}")
    assert (answer.status, answer.json["total"]) == (200, 0)


@pytest.mark.parametrize(
    "accept", ["text/html", "*/*", ";;;", "application/json;q=abc", "application/json; x*=no''%41"]
)
def test_no_accept_header_is_an_error_of_ours(oxide: LiveOxide, accept: str) -> None:
    answer = ask(oxide, "GET", SERVICES, headers={"Accept": accept})
    assert answer.status in (200, 406)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-A": "\xe9\xff\x01"},
        {"Cookie": "sessionid=\xff; ;;=;" + "a=1;" * 1000},
        {"Host": "LOCALHOST:1"},
        {"Expect": "100-continue"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_header_that_means_nothing_here_is_ignored(oxide: LiveOxide, headers: dict[str, str]) -> None:
    assert ask(oxide, "GET", SERVICES, headers=headers).json["services"].keys() == {"echo"}


@pytest.mark.parametrize("body", [b"{", b'{"a": 1}', b"\xff" * 1000])
def test_the_body_of_a_get_does_not_matter(oxide: LiveOxide, body: bytes) -> None:
    assert ask(oxide, "GET", SERVICES, body).status == 200


@pytest.mark.parametrize("path", [SERVICES, HISTORY, "/api/services/echo/", "/api/services/nope/", EXECUTE])
def test_head_is_get_without_a_body(oxide: LiveOxide, path: str) -> None:
    head, get = ask(oxide, "HEAD", path), ask(oxide, "GET", path)
    assert (head.status, head.content) == (get.status, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (SERVICES, {"GET", "HEAD", "OPTIONS"}),
        (EXECUTE, {"POST", "OPTIONS"}),
        (HISTORY, {"GET", "HEAD", "OPTIONS"}),
        (f"/api/tasks/{NO_SUCH_TASK}/cancel/", {"POST", "OPTIONS"}),
    ],
)
def test_options_tells_the_methods(oxide: LiveOxide, path: str, methods: set[str]) -> None:
    answer = ask(oxide, "OPTIONS", path)
    assert answer.status == 200
    assert set(answer.headers["allow"].split(", ")) == methods


def code_of(answer: Answer) -> str:
    """What an error is called, in the dialect of its address."""
    error: Any = answer.json["error"]
    if isinstance(error, str):
        assert answer.json.keys() >= {"error", "detail", "code"}
        return str(answer.json["code"])
    assert error["message"]
    return str(error["type"])


def routes(oxide: LiveOxide) -> list[tuple[str, str]]:
    """Every documented route, with names and ids of what is not there."""
    paths = ask(oxide, "GET", "/openapi.json").json["paths"]
    return [
        (method.upper(), re.sub(r"{\w+}", lambda part: NO_SUCH_TASK if part[0] == "{id}" else "nope", path))
        for path, operations in paths.items()
        for method in operations
        if method in ("get", "post", "put", "patch", "delete")
    ]


def test_every_route_answers_with_and_without_the_slash(oxide: LiveOxide) -> None:
    found = routes(oxide)
    assert ("POST", EXECUTE) in found
    for method, path in found:
        body = b"[]" if method in ("POST", "PUT", "PATCH") else b""
        with_slash, without = (
            ask(oxide, method, address, body) for address in (f"{path.rstrip('/')}/", path.rstrip("/"))
        )
        assert with_slash.status == without.status, path
        assert not 300 <= without.status < 400, path
        assert without.status < 500, path
        if without.status >= 400:
            assert without.json.keys() == with_slash.json.keys(), path
            assert code_of(without) == code_of(with_slash), path


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"5", b'"x"', b"NaN", b'{"a\\u0000": 1}', b"[" * 100_000, b'{"x": 1, "x": 2}', b"\xff"],
)
def test_no_route_fails_over_a_body(oxide: LiveOxide, body: bytes) -> None:
    for method, path in routes(oxide):
        answer = ask(oxide, method, path, body)
        assert answer.status < 500, (method, path, answer.content)
        if answer.status >= 400:
            assert code_of(answer), (method, path)


@pytest.mark.parametrize("text", ["limit=abc&offset=-1", "%FF=%ED%A0%80", "a__b=1", "format=nope", "&" * 1001])
def test_no_route_fails_over_a_query(oxide: LiveOxide, text: str) -> None:
    for method, path in routes(oxide):
        answer = ask(oxide, method, f"{path}?{text}")
        assert answer.status < 500, (method, path, answer.content)
        if answer.status >= 400:
            assert code_of(answer), (method, path)


def test_a_body_that_is_too_large_is_refused_and_leaves_no_trace(oxide: LiveOxide) -> None:
    process = psutil.Process(oxide.process.pid)
    body = b'{"service": "echo", "prompt": "' + b"x" * 25_000_000 + b'"}'
    before, tasks = process.memory_info().rss, total(oxide)
    for _ in range(3):
        assert_refused(ask(oxide, "POST", EXECUTE, body), 413, "PAYLOAD_TOO_LARGE")
        answer = ask(oxide, "POST", EXECUTE, chunked(body), {"Transfer-Encoding": "chunked"})
        assert_refused(answer, 413, "PAYLOAD_TOO_LARGE")
    assert process.memory_info().rss - before < 50_000_000
    assert total(oxide) == tasks


def test_a_body_without_end_is_cut_off(oxide: LiveOxide) -> None:
    port = urlsplit(oxide.url).port
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(b"POST /api/tasks/execute/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            sock.sendall(piece * 500)
    assert ask(oxide, "GET", SERVICES).status == 200


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"a&" * 10_000_000, "application/x-www-form-urlencoded", 415),
        (b"--x\r\n" * 4_000_000, "multipart/form-data; boundary=x", 415),
        (b"[" * 20_000_000, "application/json", 400),
    ],
    ids=["form", "multipart", "brackets"],
)
def test_others_are_answered_while_a_hostile_body_is_read(
    oxide: LiveOxide, body: bytes, media_type: str, status: int
) -> None:
    answers: list[Answer] = []
    sender = threading.Thread(
        target=lambda: answers.append(ask(oxide, "POST", EXECUTE, body, {"Content-Type": media_type}))
    )
    sender.start()
    while sender.is_alive():
        assert ask(oxide, "GET", SERVICES).status == 200
    assert [answer.status for answer in answers] == [status]
