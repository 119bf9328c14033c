"""One libcurl handle: how it is set up, how a call is made on it, and what its errors mean.

See https://curl.se/libcurl/c/ for every option named here.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import certifi
import pycurl
import requests
from requests import exceptions
from requests.structures import CaseInsensitiveDict

from services.adapters.addresses import is_metadata_address
from services.adapters.call import Call
from services.adapters.network import DIRECT, Network, Proxy

CONNECT_SECONDS: Final = 5.0


class Cancelled(exceptions.RequestException):
    """The call's cancel token was set."""


class CancelledUnsent(Cancelled):
    """The same, before the provider had the request."""


class ReplyTooLarge(exceptions.RequestException):
    """The decoded body grew past the cap."""


class BrokenWithin(exceptions.ChunkedEncodingError):
    """The connection broke after the response had begun."""


class AddressRefused(exceptions.ConnectionError):
    """The name resolved to an address that is never a provider's."""


class CurlHandle:
    """One libcurl easy handle with its connection: used by one call at a time."""

    def __init__(self, max_body: int, network: Network = DIRECT) -> None:
        self._max_body = max_body
        self._sockets: dict[int, socket.socket] = {}  # by inode
        self._multi: pycurl.CurlMulti | None = None
        self._opened = False
        self._aborted = False
        self._refused = ""
        self._overflow = False
        self.received = 0
        self.body: deque[bytes] = deque()
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)  # signals and threads do not mix
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")  # an empty string also switches the environment's proxies off
        curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.CAINFO, network.ca_file or default_ca_file())
        curl.setopt(pycurl.ACCEPT_ENCODING, "")  # whatever libcurl can decode
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.WRITEFUNCTION, self._on_body)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._on_open_socket)
        if network.proxy:
            self._set_proxy(network.proxy, network.ca_file)

    def _set_proxy(self, proxy: Proxy, ca_file: str) -> None:
        self.curl.setopt(pycurl.PROXY, proxy.url)
        self.curl.setopt(pycurl.NOPROXY, "")  # nor does the environment say where it is not used
        self.curl.setopt(pycurl.PROXY_CAINFO, ca_file or default_ca_file())
        # The provider's headers, its key among them, are not for the proxy that only makes a tunnel.
        self.curl.setopt(pycurl.HEADEROPT, pycurl.HEADER_SEPARATE)
        if proxy.username or proxy.password:
            self.curl.setopt(pycurl.PROXYUSERNAME, proxy.username)
            self.curl.setopt(pycurl.PROXYPASSWORD, proxy.password)

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
                failed = self.explain(int(code), message, request, call)
                failed.response = self._with_body(request)  # what has come of it
                raise failed from None
        if call.cancel.cancelled:
            # Our own shutdown looks like the end of an answer that has no length.
            raise self.cancelled(request)
        self.forget_dead_sockets()
        if request.method == "OPTIONS":
            # It would outlive this request. The other methods replace each other.
            self.curl.unsetopt(pycurl.CUSTOMREQUEST)
        return self._with_body(request)

    def _with_body(self, request: requests.PreparedRequest) -> requests.Response:
        response = self.response(request)
        response._content = b"".join(self.body)  # noqa: SLF001 - requests has no public way to set a body
        self.body.clear()
        return response

    def prepare(self, request: requests.PreparedRequest, call: Call) -> None:
        if request.method not in _METHODS:
            raise exceptions.RequestException(f"No provider is asked to {request.method}.", request=request)
        if call.cancel.cancelled:
            raise CancelledUnsent("Cancelled before it was sent.", request=request)
        if not call.remaining:
            raise exceptions.ConnectTimeout("No time was left to send it.", request=request)
        self._opened = self._aborted = self._overflow = False
        self._refused, self.received = "", 0
        self.body.clear()
        milliseconds = max(1, int(call.remaining * 1000))
        curl = self.curl
        curl.setopt(pycurl.URL, request.url or "")
        curl.setopt(pycurl.TIMEOUT_MS, milliseconds)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, min(milliseconds, int(CONNECT_SECONDS * 1000)))
        curl.setopt(pycurl.HTTPHEADER, _header_lines(request))
        if request.method == "POST":
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDS, request.body or b"")
            return
        curl.setopt(pycurl.HTTPGET, 1)
        if request.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif request.method == "OPTIONS":
            curl.setopt(pycurl.CUSTOMREQUEST, "OPTIONS")

    def abort(self) -> None:
        """End a transfer that another thread waits in. Called with the cancel token's lock held."""
        self._aborted = True
        for sock in tuple(self._sockets.values()):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # not connected yet, or gone already
                continue

    def response(self, request: requests.PreparedRequest) -> requests.Response:
        """Of its headers those that Oxide reads: Content-Type, and Retry-After in whole seconds.

        A callback for each line of them would take Python's lock as often: under load a tenth of the whole call.
        """
        response = _Response()
        response.status_code = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if media_type := self.curl.getinfo(pycurl.CONTENT_TYPE):
            response.headers["Content-Type"] = media_type
        if pause := self.curl.getinfo(pycurl.RETRY_AFTER):
            response.headers["Retry-After"] = str(pause)
        response.url = request.url or ""
        response.request = request
        response.encoding = "utf-8"
        return response

    def explain(
        self, code: int, message: str, request: requests.PreparedRequest, call: Call
    ) -> exceptions.RequestException:
        """Say in `requests` terms what libcurl said. https://curl.se/libcurl/c/libcurl-errors.html"""
        if call.cancel.cancelled:
            return self.cancelled(request)
        if self._refused:
            return AddressRefused(self._refused, request=request)
        if self._overflow or code == pycurl.E_FILESIZE_EXCEEDED:
            return ReplyTooLarge(f"The answer is larger than {self._max_body} bytes.", request=request)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return (exceptions.ReadTimeout if self._was_sent else exceptions.ConnectTimeout)(message, request=request)
        if code in _BREAKS and self._was_sent:
            has_begun = self.curl.getinfo(pycurl.RESPONSE_CODE) > 0
            return (BrokenWithin if has_begun else exceptions.ChunkedEncodingError)(message, request=request)
        if code == pycurl.E_UNSUPPORTED_PROTOCOL and self._was_sent:
            return exceptions.ConnectionError(f"it does not speak HTTP: {message}", request=request)
        if code == _PROXY_ERROR or "CONNECT tunnel failed" in message:
            return exceptions.ProxyError(message, request=request)
        return _EXCEPTIONS.get(code, exceptions.ConnectionError)(message, request=request)

    def cancelled(self, request: requests.PreparedRequest) -> Cancelled:
        kind = Cancelled if self._was_sent else CancelledUnsent
        return kind("Cancelled while it was running.", request=request)

    @property
    def _was_sent(self) -> bool:
        """Whether the provider has the request: where there is no pre-transfer time, it never connected."""
        return bool(self.curl.getinfo(pycurl.PRETRANSFER_TIME) > 0)

    def abandon(self) -> None:
        """Close in mid-answer, and so that the provider hears of it at once.

        An ordinary close tells one that is waiting for room to write nothing for a minute: it asks for room, and what
        is left of our end answers that there is none. A linger time of zero makes the close a reset.
        https://man7.org/linux/man-pages/man7/socket.7.html (SO_LINGER)
        """
        for sock in self._sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

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
        self._opened = True
        sock = socket.socket(address.family, address.socktype, address.protocol)
        self._sockets[os.fstat(sock.fileno()).st_ino] = sock
        return sock

    def forget_dead_sockets(self) -> None:
        # libcurl works on a duplicate of each descriptor we open and closes only that. Ours must go
        # with it, or the provider never sees the end. The same socket has the same inode. (A close
        # callback would say so directly, but pycurl cannot run it while a multi handle is at work.)
        active = self.curl.getinfo(pycurl.ACTIVESOCKET)
        if active >= 0 and not self._opened:
            return  # the one that was there before
        kept = os.fstat(active).st_ino if active >= 0 else None
        for inode in [inode for inode in self._sockets if inode != kept]:
            self._sockets.pop(inode).close()


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class _Response(requests.Response):
    """Without the jar for cookies, which takes longer to make than all the rest. Nobody here looks for cookies."""

    def __init__(self) -> None:
        self._content: Any = False
        self._content_consumed = False
        self._next: requests.PreparedRequest | None = None
        self.status_code = 0
        self.headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        self.raw: Any = None
        self.url = ""
        self.encoding: str | None = None
        self.history: list[requests.Response] = []
        self.reason = ""
        self.elapsed = timedelta(0)


_EXCEPTIONS: Final[Mapping[int, type[exceptions.RequestException]]] = {
    pycurl.E_URL_MALFORMAT: exceptions.InvalidURL,
    pycurl.E_UNSUPPORTED_PROTOCOL: exceptions.InvalidURL,
    pycurl.E_COULDNT_RESOLVE_PROXY: exceptions.ProxyError,
    pycurl.E_SSL_CONNECT_ERROR: exceptions.SSLError,
    pycurl.E_PEER_FAILED_VERIFICATION: exceptions.SSLError,
    pycurl.E_BAD_CONTENT_ENCODING: exceptions.ContentDecodingError,
    pycurl.E_PARTIAL_FILE: BrokenWithin,
}
_PROXY_ERROR: Final = 97  # CURLE_PROXY, which pycurl has no name for
# The other side closed the connection; before the request was sent that is no more than a failure to connect.
_BREAKS: Final = frozenset({pycurl.E_GOT_NOTHING, pycurl.E_RECV_ERROR})


def default_ca_file() -> str:
    """The certificates that are trusted where a service has none of its own."""
    return os.environ.get("SSL_CERT_FILE") or certifi.where()


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
