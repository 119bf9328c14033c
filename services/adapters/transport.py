"""HTTP over libcurl, in `requests` terms: the only place where Oxide opens a connection to a provider.

`requests` brings the vocabulary (prepared request, response, exceptions); libcurl brings what a
gateway needs and urllib3 lacks: a deadline for the whole call instead of one for each read, the
connected address before a byte is sent, a socket that another thread can shut down, and no
surprise redirects, proxies or netrc. See https://curl.se/libcurl/c/ for every option named here.
"""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

import certifi
import pycurl
import requests
from requests import exceptions
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from services.adapters.call import Call

CONNECT_SECONDS: Final = 5.0
MAX_BODY: Final = 32 * 1024 * 1024

# Where clouds keep the credentials of the machine that Oxide runs on. No provider lives there.
_METADATA: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32")
)


class Cancelled(exceptions.RequestException):
    """The call's cancel token was set."""


class ReplyTooLarge(exceptions.RequestException):
    """The decoded body grew past the cap."""


class AddressRefused(exceptions.ConnectionError):
    """The name resolved to an address that is never a provider's."""


class CurlTransport(BaseAdapter):
    """Sends prepared requests over a last-in, first-out pool of libcurl handles.

    A handle keeps its connection, so the last one used is the warmest. Make one transport for each
    service: a handle's sockets then all belong to that service.
    """

    def __init__(self, *, max_idle: int, max_body: int = MAX_BODY) -> None:
        super().__init__()
        self._max_idle = max_idle
        self._max_body = max_body
        self._lock = threading.Lock()
        self._idle: list[_Handle] = []
        self._closed = False

    def exchange(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        """Send and wait for the whole answer."""
        handle = self._take()
        try:
            response = handle.exchange(request, call)
        except BaseException:
            handle.close()
            raise
        self._give_back(handle)
        return response

    def open(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        """Send and return once the headers are there; `response.raw.chunks()` yields the body as it comes."""
        handle = self._take()
        stream = CurlStream(handle, request, call, self._give_back)
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
        """What a `requests.Session` calls. Certificates are always verified and proxies never used."""
        if verify is not True or cert or proxies:
            raise exceptions.RequestException("This transport takes no verify, cert or proxies settings.")
        seconds = timeout if isinstance(timeout, int | float) else 60.0
        call = Call.within(seconds)
        return self.open(request, call) if stream else self.exchange(request, call)

    def close(self) -> None:
        """Close idle connections. Calls in flight end as they would, and are not kept."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for handle in idle:
            handle.close()

    def _take(self) -> _Handle:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Handle(self._max_body)

    def _give_back(self, handle: _Handle) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < self._max_idle:
                self._idle.append(handle)
                return
        handle.close()


class _Handle:
    """One libcurl easy handle with its connection: used by one call at a time."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._sockets: dict[int, socket.socket] = {}  # by inode
        self._multi: pycurl.CurlMulti | None = None
        self._aborted = False
        self._refused = ""
        self._overflow = False
        self.received = 0
        self.body: deque[bytes] = deque()
        self.header_lines: list[bytes] = []
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)  # signals and threads do not mix
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")  # an empty string also switches the environment's proxies off
        curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.ACCEPT_ENCODING, "")  # whatever libcurl can decode
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.WRITEFUNCTION, self._on_body)
        curl.setopt(pycurl.HEADERFUNCTION, self.header_lines.append)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._on_open_socket)

    @property
    def multi(self) -> pycurl.CurlMulti:
        if self._multi is None:
            self._multi = pycurl.CurlMulti()
        return self._multi

    def exchange(self, request: requests.PreparedRequest, call: Call) -> requests.Response:
        self.prepare(request, call)
        with call.cancel.calling(self.abort):
            try:
                self.curl.perform()
            except pycurl.error as error:
                code, message = map(str, error.args)
                raise self.explain(int(code), message, request, call) from None
        self.forget_dead_sockets()
        response = self.response(request)
        response._content = b"".join(self.body)  # noqa: SLF001 - requests has no public way to set a body
        self.body.clear()
        return response

    def prepare(self, request: requests.PreparedRequest, call: Call) -> None:
        if request.method not in ("GET", "POST"):
            raise exceptions.RequestException(f"No provider is asked to {request.method}.", request=request)
        if call.cancel.cancelled:
            raise Cancelled("Cancelled before it was sent.", request=request)
        if not call.remaining:
            raise exceptions.ReadTimeout("No time was left to send it.", request=request)
        self._aborted, self._refused, self._overflow, self.received = False, "", False, 0
        self.body.clear()
        self.header_lines.clear()
        milliseconds = max(1, int(call.remaining * 1000))
        curl = self.curl
        curl.setopt(pycurl.URL, request.url or "")
        curl.setopt(pycurl.TIMEOUT_MS, milliseconds)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, min(milliseconds, int(CONNECT_SECONDS * 1000)))
        curl.setopt(pycurl.HTTPHEADER, _header_lines(request))
        if request.method == "GET":
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, request.body or b"")

    def abort(self) -> None:
        """End a transfer that another thread waits in. Called with the cancel token's lock held."""
        self._aborted = True
        for sock in tuple(self._sockets.values()):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # not connected yet, or gone already
                continue

    def response(self, request: requests.PreparedRequest) -> requests.Response:
        response = requests.Response()
        response.status_code = self.curl.getinfo(pycurl.RESPONSE_CODE)
        response.headers = _parse_headers(self.header_lines)
        response.url = request.url or ""
        response.request = request
        response.encoding = "utf-8"
        return response

    def explain(
        self, code: int, message: str, request: requests.PreparedRequest, call: Call
    ) -> exceptions.RequestException:
        """Say in `requests` terms what libcurl said. https://curl.se/libcurl/c/libcurl-errors.html"""
        if call.cancel.cancelled:
            return Cancelled("Cancelled while it was running.", request=request)
        if self._refused:
            return AddressRefused(self._refused, request=request)
        if self._overflow or code == pycurl.E_FILESIZE_EXCEEDED:
            return ReplyTooLarge(f"The answer is larger than {self._max_body} bytes.", request=request)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            # Nothing was sent yet where there is no pre-transfer time: it never connected.
            sent = self.curl.getinfo(pycurl.PRETRANSFER_TIME) > 0
            return (exceptions.ReadTimeout if sent else exceptions.ConnectTimeout)(message, request=request)
        return _EXCEPTIONS.get(code, exceptions.ConnectionError)(message, request=request)

    def close(self) -> None:
        self.curl.close()
        if self._multi is not None:
            self._multi.close()
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def _on_body(self, data: bytes) -> int | None:
        self.received += len(data)
        if self.received > self._max_body:
            # Counted after decompression, so that a small gzip bomb is caught too.
            self._overflow = True
            return 0
        self.body.append(data)
        return None

    def _on_open_socket(self, _purpose: int, address: Any) -> socket.socket | int:
        if self._aborted:
            return pycurl.SOCKET_BAD
        host = address.addr[0]
        host = host.decode() if isinstance(host, bytes) else host
        if is_metadata_address(host):
            self._refused = f"{host} is a cloud metadata address; Oxide never calls it."
            return pycurl.SOCKET_BAD
        sock = socket.socket(address.family, address.socktype, address.protocol)
        self._sockets[os.fstat(sock.fileno()).st_ino] = sock
        return sock

    def forget_dead_sockets(self) -> None:
        # libcurl works on a duplicate of each descriptor we open and closes only that. Ours must go
        # with it, or the provider never sees the end. The same socket has the same inode. (A close
        # callback would say so directly, but pycurl cannot run it while a multi handle is at work.)
        active = self.curl.getinfo(pycurl.ACTIVESOCKET)
        kept = os.fstat(active).st_ino if active >= 0 else None
        for inode in [inode for inode in self._sockets if inode != kept]:
            self._sockets.pop(inode).close()


class CurlStream:
    """An answer that is still coming: driven by whoever reads it, and no faster than they read.

    libcurl's `socket_action` with a `poll` of our own, because its `select` cannot watch
    descriptors above 1023.
    """

    def __init__(
        self, handle: _Handle, request: requests.PreparedRequest, call: Call, give_back: Callable[[_Handle], None]
    ) -> None:
        self._handle = handle
        self._request = request
        self._call = call
        self._give_back = give_back
        self._poll = select.poll()
        self._timer_ms = 0
        self._done = False
        self._closed = False
        self._cleanup = ExitStack()

    def begin(self) -> requests.Response:
        self._handle.prepare(self._request, self._call)
        self._cleanup.enter_context(self._call.cancel.calling(self._handle.abort))
        multi = self._handle.multi
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        multi.add_handle(self._handle.curl)
        while not self._done and not self._handle.body:
            self._drive()
        response = self._handle.response(self._request)
        response.raw = self
        return response

    def chunks(self) -> Iterator[bytes]:
        """Yield what has arrived, as soon as something has."""
        body = self._handle.body
        while True:
            if body:
                data = b"".join(body)
                body.clear()
                yield data
            elif self._done:
                return
            else:
                self._drive()

    def read(self, amount: int = -1, **_: object) -> bytes:
        """For `response.content`: the rest of the body. `amount` is not a limit, as in `read1`."""
        return b"".join(self.chunks()) if amount < 0 else next(self.chunks(), b"")

    def close(self) -> None:
        """Keep the connection where the answer was read to its end, and close it otherwise."""
        if self._closed:
            return
        self._closed = True
        self._cleanup.close()
        try:
            self._handle.multi.remove_handle(self._handle.curl)
        except pycurl.error:  # it was never added
            self._done = False
        if self._done:
            self._handle.forget_dead_sockets()
            self._give_back(self._handle)
        else:
            self._handle.close()

    release_conn = close

    def _drive(self) -> None:
        """Wait for the socket or for libcurl's own timer, and let libcurl work."""
        multi = self._handle.multi
        events = self._poll.poll(self._wait_ms()) if self._wait_ms() else []
        if not events:
            multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        for descriptor, mask in events:
            multi.socket_action(descriptor, _curl_mask(mask))
        _, succeeded, failed = multi.info_read()
        for _, code, message in failed:
            raise self._handle.explain(code, message, self._request, self._call)
        self._done = bool(succeeded)

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

_EXCEPTIONS: Final[Mapping[int, type[exceptions.RequestException]]] = {
    pycurl.E_URL_MALFORMAT: exceptions.InvalidURL,
    pycurl.E_UNSUPPORTED_PROTOCOL: exceptions.InvalidURL,
    pycurl.E_SSL_CONNECT_ERROR: exceptions.SSLError,
    pycurl.E_PEER_FAILED_VERIFICATION: exceptions.SSLError,
    pycurl.E_BAD_CONTENT_ENCODING: exceptions.ContentDecodingError,
    pycurl.E_PARTIAL_FILE: exceptions.ChunkedEncodingError,
}


def is_metadata_address(host: str) -> bool:
    """Whether `host`, a numeric address, is one where a cloud keeps its machines' credentials."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _METADATA if network.version == address.version)


def _curl_mask(events: int) -> int:
    mask = 0
    if events & (select.POLLIN | select.POLLHUP):
        mask |= pycurl.CSELECT_IN
    if events & select.POLLOUT:
        mask |= pycurl.CSELECT_OUT
    if events & (select.POLLERR | select.POLLNVAL):
        mask |= pycurl.CSELECT_ERR
    return mask


def _header_lines(request: requests.PreparedRequest) -> list[str]:
    # "Expect:" with nothing behind it keeps libcurl from asking leave before a large body.
    lines = ["Expect:"]
    for name, value in request.headers.items():
        if "\r" in value or "\n" in value or not value.isascii():
            raise exceptions.InvalidHeader(
                f"The header {name} holds characters that no header may hold.", request=request
            )
        lines.append(f"{name}: {value}")
    return lines


def _parse_headers(lines: list[bytes]) -> CaseInsensitiveDict[str]:
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for line in lines:
        if line.startswith(b"HTTP/"):  # of several answers (100 Continue first) only the last counts
            headers.clear()
            continue
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return headers
