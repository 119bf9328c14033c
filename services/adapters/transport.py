"""HTTP over libcurl, in `requests` terms: the only place where Oxide opens a connection to a provider.

`requests` brings the vocabulary (prepared request, response, exceptions); libcurl brings what a
gateway needs and urllib3 lacks: a deadline for the whole call instead of one for each read, the
connected address before a byte is sent, a socket that another thread can shut down, and no
surprise redirects, proxies of the environment or netrc.
"""

from __future__ import annotations

import math
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Final

import pycurl
import requests
from requests import exceptions
from requests.adapters import BaseAdapter

from services.adapters.call import Call
from services.adapters.curl import CurlHandle
from services.adapters.network import DIRECT, Network


class CurlTransport(BaseAdapter):
    """Sends prepared requests over a last-in, first-out pool of libcurl handles.

    A handle keeps its connection, so the last one used is the warmest. Make one transport for each
    service: a handle's sockets then all belong to that service. `max_body` is in bytes, decoded.
    """

    def __init__(self, *, max_idle: int, max_body: int, network: Network = DIRECT) -> None:
        super().__init__()
        self._max_body = max_body
        self._network = network
        # Apart, because libcurl keeps a handle's connections in two places: one that a stream opened
        # is not found by an exchange, which then opens another and drops the first.
        self._for_exchanges = _Idle(max_idle)
        self._for_streams = _Idle(max_idle)

    def exchange(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        """Send and wait for the whole answer."""
        handle = self._for_exchanges.take() or CurlHandle(self._max_body, self._network)
        try:
            response = handle.exchange(request, call)
        except BaseException:
            handle.abandon()
            raise
        self._for_exchanges.give_back(handle)
        return response

    def open(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        """Send and return once the answer begins; `response.raw.chunks()` yields its body as it comes."""
        handle = self._for_streams.take() or CurlHandle(self._max_body, self._network)
        stream = CurlStream(handle, request, call, self._for_streams.give_back)
        try:
            return stream.begin()
        except BaseException:
            stream.close()
            raise

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """What a `requests.Session` calls. Certificates are always verified; a proxy is that of the service."""
        if verify is not True or cert or proxies:
            raise exceptions.RequestException("This transport takes no verify, cert or proxies settings.")
        seconds = timeout if isinstance(timeout, int | float) else 60.0
        call = Call.within(seconds)
        return self.open(request, call) if stream else self.exchange(request, call)

    def close(self) -> None:
        """Close idle connections. Calls in flight end as they would, and are not kept."""
        self._for_exchanges.close()
        self._for_streams.close()


class _Idle:
    """Handles that wait for their next call. The last one used is taken first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._handles: list[CurlHandle] = []
        self._closed = False

    def take(self) -> CurlHandle | None:
        with self._lock:
            return self._handles.pop() if self._handles else None

    def give_back(self, handle: CurlHandle) -> None:
        with self._lock:
            if not self._closed and len(self._handles) < self._limit:
                self._handles.append(handle)
                return
        handle.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            handles, self._handles = self._handles, []
        for handle in handles:
            handle.close()


class CurlStream:
    """An answer that is still coming: driven by whoever reads it, and no faster than they read.

    libcurl's `socket_action` with a `poll` of our own, because its `select` cannot watch
    descriptors above 1023.
    """

    def __init__(
        self, handle: CurlHandle, request: requests.PreparedRequest, call: Call, give_back: Callable[[CurlHandle], None]
    ) -> None:
        self._handle = handle
        self._request = request
        self._call = call
        self._give_back = give_back
        self._poll = select.poll()
        self._timer_ms = 0
        self._done = False
        self._broken: exceptions.RequestException | None = None
        self._closed = False
        self._end_at = math.inf
        self._cleanup = ExitStack()

    def begin(self) -> requests.Response:
        self._handle.prepare(self._request, self._call)
        self._cleanup.enter_context(self._call.cancel.calling(self._handle.abort))
        multi = self._handle.multi
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        multi.add_handle(self._handle.curl)
        while not (self._done or self._broken or self._handle.body):
            self._drive()
        if self._broken and not self._handle.body:
            raise self._broken
        response = self._handle.response(self._request)
        response.raw = self
        return response

    def chunks(self) -> Iterator[bytes]:
        """Yield what has arrived, as soon as something has."""
        body = self._handle.body
        while True:
            is_late = self._end_at < math.inf and time.monotonic() >= self._end_at
            if is_late and not (self._done or self._broken):
                self._drive(0)  # what lies in the socket came in time
            if body:
                data = b"".join(body)
                body.clear()
                yield data
            elif self._broken:
                raise self._broken
            elif self._done:
                return
            elif not is_late:
                self._drive(self._end_at - time.monotonic())
            if is_late and time.monotonic() >= self._end_at:
                return

    def end_within(self, seconds: float) -> None:
        """Have `chunks` end so long from now at the latest, also where the other side goes on sending."""
        self._end_at = time.monotonic() + seconds

    def settle(self, seconds: float) -> None:
        """Give the end of the body a moment to come once the answer in it is over, so that the connection is kept."""
        until = time.monotonic() + seconds
        while not (self._done or self._broken) and (left := until - time.monotonic()) > 0:
            self._drive(left)

    def read(self, amount: int = -1, **_: object) -> bytes:
        """For `response.content`: the rest of the body. `amount` is not a limit, as in `read1`."""
        return b"".join(self.chunks()) if amount < 0 else next(self.chunks(), b"")

    def close(self) -> None:
        """Keep the connection where the answer was read to its end, and close it otherwise."""
        if self._closed:
            return
        self._closed = True
        self._cleanup.close()
        if self._done:
            self._handle.forget_dead_sockets()  # while the multi handle can still tell which one lives
        try:
            self._handle.multi.remove_handle(self._handle.curl)
        except pycurl.error:  # it was never added
            self._done = False
        if self._done:
            self._give_back(self._handle)
        else:
            self._handle.abandon()

    release_conn = close

    def _drive(self, longest: float = math.inf) -> None:
        """Wait for the socket or libcurl's own timer, at most `longest` seconds, and let libcurl work."""
        multi = self._handle.multi
        events = self._poll.poll(max(0, min(self._wait_ms(), longest * 1000)))
        if not events:
            multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        for descriptor, mask in events:
            multi.socket_action(descriptor, _curl_mask(mask))
        _, succeeded, failed = multi.info_read()
        for _, code, message in failed:
            # Not raised yet: what came in the same breath is passed on first.
            self._broken = self._handle.explain(code, message, self._request, self._call)
        self._done = bool(succeeded)
        if self._done and self._call.cancel.cancelled:
            # Our own shutdown looks like the end of an answer that has no length.
            self._broken = self._handle.cancelled(self._request)

    def _wait_ms(self) -> int:
        # libcurl names its next timer, or -1 for none; the deadline is one in any case. One
        # millisecond more, so that the deadline has passed when libcurl looks at its clock.
        remaining = int(self._call.remaining * 1000) + 1
        return remaining if self._timer_ms < 0 else min(self._timer_ms, remaining)

    def _on_timer(self, milliseconds: int) -> None:
        self._timer_ms = milliseconds

    def _on_socket(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._poll.unregister(descriptor)
        else:
            self._poll.register(descriptor, _POLL_MASKS[what])


_POLL_MASKS: Final = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


def _curl_mask(events: int) -> int:
    mask = 0
    if events & (select.POLLIN | select.POLLHUP):
        mask |= pycurl.CSELECT_IN
    if events & select.POLLOUT:
        mask |= pycurl.CSELECT_OUT
    if events & (select.POLLERR | select.POLLNVAL):
        mask |= pycurl.CSELECT_ERR
    return mask
