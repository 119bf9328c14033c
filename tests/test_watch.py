"""The watch finds a secret wherever it comes out: each test here leaks one, and takes the leak away again."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests import canary
from tests.watch import Watch, watch

SECRET = canary.provider_key("leaked on purpose")


def whole(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Your key is {SECRET}.")


def header(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("nothing", headers={"X-Key": SECRET})


def streamed(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([SECRET[:12], SECRET[12:]]))


urlpatterns = [path(view.__name__, view) for view in (whole, header, streamed)]


@pytest.mark.parametrize("place", ["whole", "header", "streamed"])
def test_in_an_answer_to_a_test_client(client: Client, settings: Settings, place: str) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    answer = client.get(f"/{place}")
    if answer.streaming:
        answer.getvalue()
    assert watch.take() == [f"provider key in GET /{place} 200"]


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(SECRET.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page/17/"
        server.shutdown()


@pytest.mark.parametrize("stream", [False, True])
def test_in_an_answer_to_requests(address: str, stream: bool) -> None:
    answer = requests.get(address, timeout=10, stream=stream)
    assert answer.content
    assert watch.take() == ["provider key in GET /page/*/ 200"]


def test_in_a_frame_of_a_socket_even_unread() -> None:
    def leak(connection: ServerConnection) -> None:
        connection.send(SECRET)
        connection.recv()

    with serve(leak, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with connect(f"ws://127.0.0.1:{port}/", proxy=None) as connection:
            assert connection.recv() == SECRET
            connection.send("done")
        server.shutdown()
    assert watch.take() == ["provider key in frame"]


def test_in_what_an_application_sends() -> None:
    async def application(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "websocket.send", "text": SECRET})  # type: ignore[operator]  # it is ASGI's

    async def listen() -> None:
        communicator: Any = ApplicationCommunicator(application, {"type": "websocket"})  # type: ignore[no-untyped-call]
        await communicator.receive_output()

    asyncio.run(listen())
    assert watch.take() == ["provider key in websocket.send"]


@pytest.mark.parametrize("name", ["services", "django.request"])
def test_in_the_log_and_in_its_tracebacks(name: str) -> None:
    logger = logging.getLogger(name)
    logger.debug("The key is %s.", SECRET)
    assert watch.take() == [f"provider key in log of {name}"]
    try:
        raise ValueError(SECRET)
    except ValueError:
        logger.exception("It failed.")
    assert watch.take() == [f"provider key in log of {name}"]


def test_in_a_file_as_it_grows_and_in_a_folder(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text(f"begin {SECRET[:10]}")
    own = Watch()
    own.follow(log)
    own.read_on()
    assert own.take() == []
    log.write_text(f"begin {SECRET}")
    own.read_on()
    assert own.take() == ["provider key in output.log"]
    (tmp_path / "oxide.sqlite3").write_bytes(b"\0\1" + SECRET.encode() + b"\0")
    own.note_folder(tmp_path)
    assert "provider key in oxide.sqlite3" in own.take()


def test_a_part_of_a_secret_is_found_and_a_preview_is_none() -> None:
    own = Watch()
    own.note("somewhere", f"{SECRET[:4]}...{SECRET[-3:]}")
    assert own.take() == []
    own.note("somewhere", SECRET[4:-6])
    assert own.take() == ["part of a secret in somewhere"]


def test_what_is_handed_out_may_stand_there_and_nowhere_else() -> None:
    own = Watch()
    key = "ox-abcdefgh_" + "k" * 20 + "l" * 20
    own.note("POST /api/api-keys/clients/ 201", f'{{"key": "{key}"}}')
    assert own.take() == []
    own.note("GET /api/api-keys/clients/ 200", f'{{"key": "{key}"}}')
    assert own.take() == ["key for programs in GET /api/api-keys/clients/ 200"]


def test_no_leak_shows_the_secret() -> None:
    own = Watch()
    own.note(f"GET /keys/{SECRET} 200", SECRET)
    assert SECRET not in "".join(own.take())
