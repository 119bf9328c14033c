"""A TCP server on a free port of this machine, for the length of a `with` block."""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import Self


class LocalServer:
    """Serves each connection in a thread of its own, which does not outlive the tests."""

    def __init__(self, server: socketserver.ThreadingTCPServer) -> None:
        self._server = server
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
