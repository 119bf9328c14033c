"""HTTP itself, byte by byte, on a real Oxide: what its short way from the socket to the pool must not lose."""

from __future__ import annotations

import json
import socket
import ssl
import time
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import pytest

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide

ASKED = json.dumps({"prompt": "hi", "service": "echo"}).encode()


@pytest.fixture(scope="module")
def oxide(tmp_path_factory: pytest.TempPathFactory) -> object:
    live = LiveOxide(Path(tmp_path_factory.mktemp("oxide")))
    try:
        yield live.start()
    finally:
        live.kill()


def talk(oxide: LiveOxide, receive_buffer: int = 0) -> socket.socket:
    address = urlsplit(oxide.url)
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(30)
    sock.connect((address.hostname, address.port))
    return sock


def one_answer(answers: BinaryIO) -> Any:
    """The JSON of the next answer, which has a length."""
    head = b"".join(iter(answers.readline, b"\r\n"))
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    return json.loads(answers.read(length))


def asking(prompt: str, service: str = "echo", **fields: object) -> bytes:
    body = json.dumps({"prompt": prompt, "service": service, **fields}).encode()
    headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return request("POST /api/tasks/execute/ HTTP/1.1", *headers, body=body)


def told(oxide: LiveOxide, sent: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    address = urlsplit(oxide.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as sock:
        sock.sendall(sent)
        return b"".join(iter(lambda: sock.recv(65_536), b""))


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, "Host: localhost", *headers, "", ""]).encode() + body


def test_connections_are_kept_and_requests_that_come_at_once_are_answered_in_turn(oxide: LiveOxide) -> None:
    several = request("GET /api/config/ HTTP/1.1") * 2 + request("GET /health HTTP/1.1", "Connection: close")
    answer = told(oxide, several)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.rstrip().endswith((b'{"status":"ok"}', b"0"))


def test_an_old_client_gets_its_answer_and_the_end_of_the_connection(oxide: LiveOxide) -> None:
    head, _, body = told(oxide, request("GET /api/config/ HTTP/1.0")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert json.loads(body)


def test_head_has_the_length_and_nothing_of_the_body(oxide: LiveOxide) -> None:
    head, _, body = told(oxide, request("HEAD /api/config/ HTTP/1.1", "Connection: close")).partition(b"\r\n\r\n")
    assert b"Content-Length: " in head
    assert body == b""


def test_a_body_may_come_in_chunks(oxide: LiveOxide) -> None:
    headers = ("Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (ASKED[:9], ASKED[9:]))
    line = "POST /api/tasks/execute/ HTTP/1.1"
    head, _, body = told(oxide, request(line, *headers, body=chunks + b"0\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(body)["result"] == "hi"


@pytest.mark.parametrize("line", ["GET /health HTTP/1.1\r\nX-Odd: a\x1eb", "GET /h\xe9 HTTP/1.1"])
def test_what_no_header_and_no_address_may_hold_is_refused(oxide: LiveOxide, line: str) -> None:
    head, _, body = told(oxide, request(line, "Connection: close")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert b'"code":"VALIDATION_ERROR"' in body


def test_a_tls_handshake_is_answered_at_once_and_told_which_scheme_to_use(oxide: LiveOxide) -> None:
    answer = told(oxide, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Use http:// instead of https://" in answer
    with (
        talk(oxide) as sock,
        pytest.raises(ssl.SSLError, match=r"(?i)wrong version number|http request|record layer failure"),
    ):
        ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")


def test_a_header_with_an_underscore_is_not_taken_for_the_one_with_a_hyphen(oxide: LiveOxide) -> None:
    headers = ("Content_Type: text/plain", "Content-Type: application/json", "Connection: close")
    length = f"Content-Length: {len(ASKED)}"
    answer = told(oxide, request("POST /api/tasks/execute/ HTTP/1.1", *headers, length, body=ASKED))
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_a_long_answer_that_is_read_slowly_comes_whole_although_the_server_is_told_to_stop(live: LiveOxide) -> None:
    live.start()
    long = json.dumps({"prompt": "x" * 12_000_000, "service": "echo"}).encode()
    headers = ("Content-Type: application/json", f"Content-Length: {len(long)}", "Connection: close")
    address = urlsplit(live.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as sock:
        sock.sendall(request("POST /api/tasks/execute/ HTTP/1.1", *headers, body=long))
        begin = sock.recv(1000)
        live.process.terminate()
        time.sleep(1)
        whole = begin + b"".join(iter(lambda: sock.recv(65_536), b""))
    assert json.loads(whole.partition(b"\r\n\r\n")[2])["result"] == "x" * 12_000_000
    assert live.process.wait(30) == 0


def test_a_long_answer_comes_whole(oxide: LiveOxide) -> None:
    long = json.dumps({"prompt": "x" * 600_000, "service": "echo"}).encode()
    headers = ("Content-Type: application/json", f"Content-Length: {len(long)}", "Connection: close")
    _, _, body = told(oxide, request("POST /api/tasks/execute/ HTTP/1.1", *headers, body=long)).partition(b"\r\n\r\n")
    assert json.loads(body)["result"] == "x" * 600_000


def test_one_connection_serves_whole_answers_and_streams_in_turn(oxide: LiveOxide) -> None:
    with talk(oxide) as sock, sock.makefile("rb") as answers:
        for number in range(3):
            sock.sendall(asking(f"whole {number}"))
            assert one_answer(answers)["result"] == f"whole {number}"
            sock.sendall(asking(f"stream {number}", stream=True))
            stream = b"".join(iter(answers.readline, b"0\r\n")) + answers.readline()
            assert b"event: done" in stream


def test_head_and_body_may_come_apart(oxide: LiveOxide) -> None:
    head, _, body = asking("apart").partition(b"\r\n\r\n")
    with talk(oxide) as sock, sock.makefile("rb") as answers:
        for part in (head[:20], head[20:] + b"\r\n\r\n", body[:5], body[5:]):
            sock.sendall(part)
            time.sleep(0.05)
        assert one_answer(answers)["result"] == "apart"


def test_a_request_that_comes_before_the_answer_to_the_last_one_is_answered_after_it(
    live: LiveOxide, provider: FakeProvider
) -> None:
    live.declare("slow", provider.base_url("openai", service="slow"), api="openai").start()
    provider.misbehave("slow", service="slow", seconds=1)
    with talk(live) as sock, sock.makefile("rb") as answers:
        sock.sendall(asking("slow", service="slow"))
        time.sleep(0.3)
        sock.sendall(asking("quick"))
        assert one_answer(answers)["service_used"] == "slow"
        assert one_answer(answers)["result"] == "quick"
        sock.sendall(asking("after that"))
        assert one_answer(answers)["result"] == "after that"


def test_an_answer_that_does_not_fit_in_the_sockets_buffers_comes_whole(oxide: LiveOxide) -> None:
    long = "x" * 100_000
    with talk(oxide, receive_buffer=4096) as sock, sock.makefile("rb") as answers:
        for number in range(3):
            sock.sendall(asking(f"{long}{number}"))
            time.sleep(0.3)
            assert one_answer(answers)["result"] == f"{long}{number}"


IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ASKED), ASKED)
LENGTH = f"Content-Length: {len(ASKED)}"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([CHUNKED, CHUNKED], IN_CHUNKS),
        ([CHUNKED, "Transfer-Encoding: identity"], IN_CHUNKS),
        (["Transfer-Encoding: identity", CHUNKED], IN_CHUNKS),
        (["Transfer-Encoding: gzip, chunked"], IN_CHUNKS),
        (["Transfer-Encoding: identity", LENGTH], ASKED),
        (["Transfer-Encoding: identity"], ASKED),
        ([CHUNKED, LENGTH], IN_CHUNKS),
        ([f"Content-Length: {len(IN_CHUNKS)}", CHUNKED], IN_CHUNKS),
        ([LENGTH, LENGTH], ASKED),
        ([LENGTH, "Content-Length: 5"], ASKED),
        ([f"{LENGTH}, {len(ASKED)}"], ASKED),
        ([f"Content-Length: +{len(ASKED)}"], ASKED),
        ([LENGTH, "Host: localhost"], ASKED),
        ([LENGTH, "Host: evil.example"], ASKED),
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused_and_not_done(
    oxide: LiveOxide, headers: list[str], body: bytes
) -> None:
    before = oxide.get("/api/tasks/history/").json()["total"]
    line = "POST /api/tasks/execute/ HTTP/1.1"
    answer = told(oxide, request(line, "Content-Type: application/json", *headers, body=body))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"\r\n\r\n") == 1
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "VALIDATION_ERROR"
    assert oxide.get("/api/tasks/history/").json()["total"] == before


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"])
def test_http_1_1_without_a_host_is_refused_and_1_0_is_not(oxide: LiveOxide, more: str) -> None:
    answer = told(oxide, f"GET /health HTTP/1.1\r\n{more}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"one header Host" in answer
    assert told(oxide, f"GET /health HTTP/1.0\r\n{more}\r\n".encode()).startswith(b"HTTP/1.0 200 OK")


def test_halves_of_large_bodies_of_unknown_callers_do_not_pile_up(live: LiveOxide) -> None:
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    live.start()
    login = {"username": "admin", "password": live.admin_password}
    pair = live.post("/auth/login", json=login).json()
    size, rest = 19_000_000, 10
    head = ("Content-Type: application/json", f"Content-Length: {size}", "Connection: close")
    strangers = [
        ("x-api-key: ox-abcdefgh_nonsense",),
        ("Authorization: Bearer nonsense",),
        ("Cookie: sessionid=x",),
        (),
    ]
    sockets = []
    for credentials in strangers * 2:
        sock = talk(live)
        sock.sendall(request("POST /api/tasks/execute/ HTTP/1.1", *head, *credentials, body=b" " * (size - rest)))
        sockets.append(sock)
    assert live.post("/auth/login", json=login).status_code == 200
    large = {"prompt": "x" * 12_000_000, "service": "echo"}
    mine = {"Authorization": f"Bearer {pair['access_token']}"}
    assert live.post("/api/tasks/execute/", json=large, headers=mine).status_code == 200
    assert live.post("/api/tasks/execute/", json=large).status_code == 503
    statuses = []
    for sock in sockets:
        sock.sendall(b" " * rest)
        with sock, sock.makefile("rb") as answers:
            statuses.append(int(answers.readline().split()[1]))
    assert set(statuses) <= {400, 401, 503}
    assert statuses.count(503) >= 5  # there is room for three of them
    assert live.post("/api/tasks/execute/", json=large).status_code == 401  # what they held is free again
