"""Addresses with a wrong scheme: one error that names the right one, and no second try."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from oxide_client import (
    AsyncOxide,
    ConnectionFailedError,
    ConnectionLostError,
    Oxide,
    OxideError,
    Retries,
    WrongAddressError,
)
from tests.clients.python.driving import Make
from tests.clients.python.scripted import Scripted, hang_up, json_answer, raw
from tests.clients.python.test_connections import certified
from tests.live import LiveOxide, free_port

OK = json_answer(200, {"status": "ok"})
CALLS: dict[str, Callable[[Any], Any]] = {
    "read": lambda oxide: oxide.get_health(),
    "task": lambda oxide: oxide.execute_task("Hello"),
    "stream": lambda oxide: list(oxide.stream_task("Hello")),
    "events": lambda oxide: oxide.events().__enter__(),
}


class Port:
    """A port that treats each connection as `serve` does, and counts those that begin with a TLS handshake."""

    def __init__(self, serve: Callable[[socket.socket, bytes], None]) -> None:
        self.handshakes = 0
        self.requests = 0
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._take, args=[self._listener.accept()[0]], daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _take(self, opened: socket.socket) -> None:
        with opened, suppress(OSError):
            data = opened.recv(65_536)
            is_handshake = data.startswith(b"\x16")
            self.handshakes += is_handshake
            self.requests += not is_handshake
            self._serve(opened, data)


@contextmanager
def port(serve: Callable[[socket.socket, bytes], None]) -> Iterator[Port]:
    made = Port(serve)
    threading.Thread(target=made.run, daemon=True).start()
    try:
        yield made
    finally:
        made.close()


def silent_without_tls(opened: socket.socket, data: bytes) -> None:
    """Waits for the end of what it takes for a line."""
    if data.startswith(b"\x16"):
        opened.settimeout(60)
        opened.recv(1)
    else:
        opened.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def alert(opened: socket.socket, data: bytes) -> None:
    """A server of TLS that takes none of the client's versions, or no request in plain text."""
    opened.sendall(b"\x15\x03\x01\x00\x02\x02\x46")


def vanish(opened: socket.socket, data: bytes) -> None:
    """No server of either kind."""


@pytest.mark.parametrize("call", CALLS)
def test_https_to_a_server_without_tls_names_http_at_once(make: Make, live: LiveOxide, call: str) -> None:
    wrong = live.url.replace("http", "https")
    with pytest.raises(WrongAddressError, match=f"speaks plain HTTP.* Use {live.url} as base_url"):
        CALLS[call](make(wrong, retries=Retries(most=50)))


@pytest.mark.parametrize("call", CALLS)
def test_http_to_a_server_of_tls_names_https_at_once(make: Make, tmp_path: Path, call: str) -> None:
    with Scripted(OK, tls=certified(tmp_path)[1]) as server:
        wrong = server.url.replace("https", "http")
        with pytest.raises(WrongAddressError, match=f"speaks TLS. Use {server.url} as base_url"):
            CALLS[call](make(wrong, retries=Retries(most=50)))
        assert server.asked == []


def test_a_server_that_waits_for_more_of_the_greeting_is_found_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("aio", "blocking"):
        monkeypatch.setattr(f"oxide_client.{module}.CONNECT_SECONDS", 0.3)
    with port(silent_without_tls) as server:
        with pytest.raises(WrongAddressError, match=f"Use http://{server.address}"):
            make(f"https://{server.address}").get_health()
        assert (server.handshakes, server.requests) == (1, 1)


@pytest.mark.parametrize(
    "said",
    [
        b"<center>The plain HTTP request was sent to HTTPS port</center>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
    ids=["nginx", "Go", "Apache"],
)
def test_servers_that_say_so_in_plain_text_are_understood(make: Make, said: bytes) -> None:
    with Scripted(raw(400, said)) as server:
        with pytest.raises(WrongAddressError, match=r"Use https://127\.0\.0\.1"):
            make(server.url).get_health()
        assert len(server.asked) == 1


def test_an_alert_in_place_of_an_answer_is_understood(make: Make) -> None:
    with port(alert) as server:
        with pytest.raises(WrongAddressError, match=f"Use https://{server.address}"):
            make(f"http://{server.address}").get_health()
        assert (server.handshakes, server.requests) == (1, 1)


def test_a_certificate_that_is_not_accepted_is_not_asked_for_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: float) -> float:
        raise AssertionError("It is tried again.")

    monkeypatch.setattr("oxide_client.retries.backoff", never)
    with Scripted(OK, tls=certified(tmp_path)[1]) as server:
        with pytest.raises(WrongAddressError, match="SSL_CERT_FILE") as raised:
            make(server.url, retries=Retries(most=50)).get_health()
        assert "Start it" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_failure_of_another_kind_stays_what_it_is(make: Make, scheme: str) -> None:
    with port(vanish) as server, pytest.raises(OxideError) as raised:
        make(f"{scheme}://{server.address}", retries=Retries(most=0)).get_health()
    assert not isinstance(raised.value, WrongAddressError)


def test_a_server_that_has_answered_is_not_asked_which_scheme_it_speaks(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed: list[str] = []
    monkeypatch.setattr("oxide_client.schemes.mismatch", probed.append)
    with Scripted(OK, hang_up) as server:
        oxide = make(server.url, retries=Retries(most=0))
        oxide.get_health()
        with pytest.raises(ConnectionLostError):
            oxide.get_health()
    assert probed == []


def test_where_nothing_listens_nothing_is_asked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[str] = []
    monkeypatch.setattr("oxide_client.schemes.mismatch", probed.append)
    for url, advice in (
        (f"https://127.0.0.1:{free_port()}", "Start it"),
        ("http://no-such.invalid", "name of the host"),
    ):
        with pytest.raises(ConnectionFailedError, match=advice):
            make(url, retries=Retries(most=0)).get_health()
    assert probed == []


@pytest.mark.parametrize("client", [Oxide, AsyncOxide])
@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("localhost:8000", "Use http://localhost:8000."),
        ("oxide.example.com", "Use http://oxide.example.com."),
        ("127.0.0.1:8000/oxide", "Use http://127.0.0.1:8000/oxide."),
        ("[::1]:8000", "Use http://[::1]:8000."),
        ("ws://localhost:8000", "Use http://localhost:8000."),
        ("wss://oxide.example.com/ws", "Use https://oxide.example.com/ws."),
        ("//localhost:8000", "http://localhost:8000"),
        ("http:/localhost", "such as http://localhost:8000"),
        ("http://localhost:99999", "1 to 65535"),
        ("http://localhost:port", "1 to 65535"),
        ("", "such as http://localhost:8000"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_before_anything_is_sent(
    client: Any, address: str, advice: str
) -> None:
    with pytest.raises(ValueError, match="base_url") as raised:
        client(address)
    assert advice in str(raised.value)
