"""What our server adds to daphne, seen from the socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until

HERE = Path(__file__).resolve().parent
STALL_SECONDS = 2
HEAD_SECONDS = 1
BODY_SECONDS = 2

Server = subprocess.Popen[str]
Connect = Callable[..., socket.socket]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "bare_server.py"), str(STALL_SECONDS), "20", str(HEAD_SECONDS), str(BODY_SECONDS)],
        cwd=HERE.parent.parent,
        env={**os.environ, "OXIDE_DATA_DIR": str(tmp_path), "PYTHONPATH": str(HERE.parent.parent)},
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "log").open("w"),
        text=True,
    )
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def log(server: Server, tmp_path: Path) -> Callable[[], str]:
    return (tmp_path / "log").read_text


@pytest.fixture
def ask(server: Server) -> Iterator[Connect]:
    """Send a request and read nothing: `ask("GET /whole")`."""
    assert server.stdout
    port = int(server.stdout.readline())
    sockets: list[socket.socket] = []

    def connect(request: str, header: str = "Connection: close") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        sockets.append(sock)
        sock.sendall(f"{request} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        return sock

    yield connect
    for sock in sockets:
        sock.close()


def read(sock: socket.socket, pause: float = 0, size: int = 65_536) -> bytes:
    """All there is, with a pause after each piece."""
    received = bytearray()
    while piece := sock.recv(size):
        received += piece
        time.sleep(pause)
    return bytes(received)


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def sent(ask: Connect) -> int:
    """How many bytes of the endless answer were handed over so far."""
    return int(body(read(ask("GET /sent"))))


def test_a_large_answer_arrives_whole(ask: Connect) -> None:
    assert body(read(ask("GET /whole"))) == b"x" * 20_000_000


def test_head_has_no_body_however_large_it_would_be(ask: Connect) -> None:
    answer = read(ask("HEAD /whole"))
    assert b"20000000" in answer
    assert body(answer) == b""


def test_a_reader_that_stops_stops_the_answer(ask: Connect) -> None:
    sock = ask("GET /endless")
    wait_until(lambda: sent(ask))
    reached = 0
    while reached != (now := sent(ask)):  # until the buffers on the way are full
        reached = now
        time.sleep(0.1)
    assert reached < 50_000_000
    assert len(sock.recv(65_536)) == 65_536
    sock.close()


def test_a_reader_that_takes_nothing_is_cut_off(ask: Connect) -> None:
    sock = ask("GET /endless")
    wait_until(lambda: sent(ask))
    time.sleep(STALL_SECONDS * 2)
    with pytest.raises(ConnectionResetError):
        read(sock)


def test_a_slow_reader_is_not_cut_off(ask: Connect) -> None:
    sock = ask("GET /whole")
    begun = time.monotonic()
    # In pieces that take, all together, longer than a reader that takes nothing would be given.
    assert body(read(sock, pause=0.1, size=500_000)) == b"x" * 20_000_000
    assert time.monotonic() - begun > STALL_SECONDS


def test_an_answer_that_is_broken_off_does_not_look_complete(ask: Connect) -> None:
    with pytest.raises(ConnectionResetError):
        read(ask("GET /broken"))


def test_a_drain_lets_a_slow_reader_have_its_answer(server: Server, ask: Connect, log: Callable[[], str]) -> None:
    sock = ask("GET /whole")
    first = sock.recv(65_536)
    server.send_signal(signal.SIGTERM)
    wait_until(lambda: "Draining" in log())
    time.sleep(0.5)
    assert body(first + read(sock)) == b"x" * 20_000_000
    assert server.wait(10) == 0


def test_a_second_signal_ends_everything_at_once(server: Server, ask: Connect, log: Callable[[], str]) -> None:
    ask("GET /waits")
    ask("POST /waits", "Content-Length: 100")  # its body is still to come
    assert sent(ask) == 0
    server.send_signal(signal.SIGTERM)
    wait_until(lambda: "Draining" in log())
    server.send_signal(signal.SIGTERM)
    assert server.wait(10) == 0
    assert "cancelled" in log()
    assert "Traceback" not in log()


HEADS = [b"G", b"GET /sent HTTP/1.1\r\nHost: localhost\r\n", b"GET /sent HTTP/1.0\r\nExpect: x\r\n"]


@pytest.mark.parametrize("begin", HEADS)
def test_headers_that_drip_are_not_waited_for_for_ever(ask: Connect, begin: bytes) -> None:
    port = ask("GET /sent").getpeername()[1]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(begin)
        sock.settimeout(0.1)
        received = b""
        for _ in range(300):  # each byte alone would put off the end of the connection
            try:
                piece = sock.recv(65_536)
            except TimeoutError:
                sock.sendall(b"x")
                continue
            received += piece
            if not piece:
                break
        assert received.startswith(b"HTTP/1.1 408 ")


def test_a_body_may_take_longer_than_headers(ask: Connect) -> None:
    sock = ask("POST /sent", "Content-Length: 3\r\nConnection: close")
    for piece in (b"a", b"b", b"c"):
        time.sleep(HEAD_SECONDS * 0.7)
        sock.sendall(piece)
    assert b" 200 OK" in read(sock)


LENGTHS = ["Content-Length: 1000", "Transfer-Encoding: chunked"]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_body_that_drips_is_not_waited_for_for_ever(ask: Connect, length: str) -> None:
    with ask("POST /sent", length) as sock:
        sock.settimeout(0.5)
        received = b""
        for _ in range(100):  # each byte alone would put off the end of the connection
            try:
                received += (piece := sock.recv(65_536))
            except TimeoutError:
                sock.sendall(b"x" if length == LENGTHS[0] else b"1\r\nx\r\n")
                continue
            if not piece:
                break
        assert received.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_steadily_may_take_as_long_as_it_is(ask: Connect) -> None:
    sock = ask("POST /sent", "Content-Length: 150\r\nConnection: close")
    for _ in range(3):
        sock.sendall(b"x" * 50)
        time.sleep(BODY_SECONDS * 0.5)
    assert b" 200 OK" in read(sock)
