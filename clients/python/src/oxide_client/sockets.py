"""A limit on the whole of a blocking call.

The timeouts of requests are for each read alone, so that an answer of a byte a second would never run into one. Here a
timer shuts the call's socket down, whatever it waits for. https://requests.readthedocs.io/en/latest/user/quickstart/#timeouts
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_this_thread = threading.local()


class Guard:
    """Ends one call: when its time is over, or when somebody says so, from whichever thread."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._is_cut = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None
        if seconds < threading.TIMEOUT_MAX:
            self._timer = threading.Timer(seconds, self._run_out)
            self._timer.daemon = True
            self._timer.start()

    def watch(self, opened: socket.socket | None) -> None:
        with self._lock:
            self._socket = opened
            if self.is_over or self._is_cut:
                self._shut()

    def cut(self) -> None:
        """End it now, and whatever would still be tried for it."""
        with self._lock:
            self._is_cut = True
            self._shut()
        self.release()

    def release(self) -> None:
        """The call has ended by itself. Its connection may be another call's from now on."""
        if self._timer:
            self._timer.cancel()
        with self._lock:
            self._socket = None

    def _run_out(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # Not that of an SSL socket, which would forget its state under the thread that reads from it.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    """What this thread connects to meanwhile is watched."""
    _this_thread.guard = guard
    try:
        yield
    finally:
        _this_thread.guard = None


def _watch(connection: HTTPConnection) -> None:
    guard: Guard | None = getattr(_this_thread, "guard", None)
    if guard is not None:
        guard.watch(connection.sock)


class _Connection(HTTPConnection):
    def request(self, *asked: Any, **options: Any) -> None:
        _watch(self)  # one that is open already
        super().request(*asked, **options)
        _watch(self)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class GuardedAdapter(HTTPAdapter):
    """The transport of requests, with connections that can be guarded, and with the system's certificates.

    To read these takes a moment, which who calls over plain HTTP is spared.
    """

    def __init__(self, *, is_tls: bool, pool_maxsize: int) -> None:
        self._tls: dict[str, Any] = {"ssl_context": ssl.create_default_context()} if is_tls else {}
        super().__init__(pool_maxsize=pool_maxsize)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **self._tls, **options)
        self._guard(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **self._tls, **options)
        self._guard(manager)
        return manager

    def _guard(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
