"""Where the watch listens: the ways by which a test hears something of Oxide."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from requests.adapters import HTTPAdapter
from websockets.frames import Frame
from websockets.sync.client import ClientConnection

from tests.watch import place_of, watch

# The loggers that keep what they are told from the root.
_LOGGERS = ("", "django.request", "django.server")
# The tests' own ends of a connection, which log what they send themselves.
_CLIENTS = frozenset({"websockets", "urllib3", "openai", "anthropic", "httpx", "httpcore"})


@contextmanager
def opened() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, _log_heard():
        _tap_test_clients(patch)
        _tap_requests(patch)
        _tap_frames(patch)
        _tap_communicators(patch)
        yield


def _head(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in headers.items()).encode() + b"\n"


def _tap_test_clients(patch: pytest.MonkeyPatch) -> None:
    """Those of Django and of Django REST framework, which is made of the former."""
    real = Client.request

    def request(client: Client, **asked: Any) -> Any:
        answer: Any = real(client, **asked)
        place = place_of(asked.get("REQUEST_METHOD", "GET"), asked.get("PATH_INFO", "/"), answer.status_code)
        head = _head(answer.headers) + answer.cookies.output().encode()
        if answer.streaming:
            watch.note(place, head)
            answer.streaming_content = watch.noting(place, answer.streaming_content)
        else:
            watch.note(place, head + answer.content)
        return answer

    patch.setattr(Client, "request", request)


def _tap_requests(patch: pytest.MonkeyPatch) -> None:
    """Every answer, also one that redirects or is read as a stream. Oxide itself calls by another adapter."""
    real = HTTPAdapter.send

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, *asked: Any, **options: Any) -> requests.Response:
        answer = real(adapter, request, *asked, **options)
        place = place_of(request.method, request.url or "", answer.status_code)
        watch.note(place, _head(answer.headers))
        read = answer.iter_content
        vars(answer)["iter_content"] = lambda *how, **also: watch.noting(place, read(*how, **also))
        return answer

    patch.setattr(HTTPAdapter, "send", send)


def _tap_frames(patch: pytest.MonkeyPatch) -> None:
    """What comes over a socket: the answer to the handshake, and each frame whether or not a test reads it."""
    real = ClientConnection.process_event

    def process_event(connection: ClientConnection, event: Any) -> None:
        if isinstance(event, Frame):
            watch.note("frame", bytes(event.data))
        else:
            watch.note("handshake", f"{event.headers}{event.body or b''!r}")
        real(connection, event)

    patch.setattr(ClientConnection, "process_event", process_event)


def _tap_communicators(patch: pytest.MonkeyPatch) -> None:
    """Those of Channels among them."""
    real: Any = ApplicationCommunicator.receive_output

    async def receive_output(communicator: ApplicationCommunicator, timeout: float = 1) -> Any:  # noqa: ASYNC109
        message = await real(communicator, timeout)
        watch.note(message["type"], repr(message))
        return message

    patch.setattr(ApplicationCommunicator, "receive_output", receive_output)


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in _CLIENTS:
            return
        watch.note(f"log of {record.name}", self.format(record))


@contextmanager
def _log_heard() -> Iterator[None]:
    """Each record with its traceback."""
    listener = _Listener(logging.DEBUG)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addHandler(listener)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(listener)
