"""How long a connection may take for a request that comes in a few pieces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from oxide_project import channel
from oxide_project.channel import BODY_BYTES_A_SECOND, BODY_SECONDS, Channel

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(channel, "time", SimpleNamespace(monotonic=clock.seconds))
    return clock


@pytest.fixture
def connection(clock: Clock) -> Channel:
    connection: Any = Channel()
    connection.callLater = clock.callLater
    connection.factory = SimpleNamespace(server=SimpleNamespace(handler=object(), draining=False))
    connection.makeConnection(StringTransport())  # type: ignore[no-untyped-call]
    connection.setTimeout(None)
    return connection  # type: ignore[no-any-return]


def test_a_body_that_drips_ends_the_connection(connection: Any, clock: Clock) -> None:
    connection.dataReceived(HEAD)
    for _ in range(int(BODY_SECONDS) + 5):
        clock.advance(1)
        connection.dataReceived(b"x")
    assert connection.transport.value().startswith(b"HTTP/1.1 408 ")
    assert connection.transport.disconnecting


def test_a_body_that_comes_steadily_is_waited_for(connection: Any, clock: Clock) -> None:
    connection.dataReceived(HEAD)
    for _ in range(int(BODY_SECONDS) * 2 // 3):
        clock.advance(2)
        connection.dataReceived(b"x" * BODY_BYTES_A_SECOND * 2)
    assert connection.transport.value() == b""
    assert not connection.transport.disconnecting


def test_a_connection_that_is_gone_leaves_no_timer(connection: Any, clock: Clock) -> None:
    connection.dataReceived(HEAD)
    connection.connectionLost()
    assert clock.getDelayedCalls() == []
