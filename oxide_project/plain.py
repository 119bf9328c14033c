"""What most programs send: a request that comes in a few pieces and is answered in one.

Twisted reads a request line by line and keeps two tables of its headers, which takes as long as all that Django does
for it. Such a request is read here by httptools instead, and passed on without Twisted's objects. Whatever is odd
about one, and all that httptools refuses, is left to Twisted: it is read again from its first byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

if TYPE_CHECKING:
    from oxide_project.handler import Client
    from oxide_project.server import Request

# Longer ones are rare, and take longer elsewhere.
MAX_BYTES = 128 * 1024
# Twisted's own limits (HTTPChannel.totalHeadersSize and maxHeaders).
_MAX_HEAD = 16_384
_MAX_HEADERS = 500
# What these ask for is Twisted's to give.
_SPECIAL = frozenset([b"expect", b"upgrade", b"transfer-encoding", b"connection"])
# Headers of several lines, lines that end in half an end, and bytes that stand in no header.
_ODD = re.compile(rb"\r\n[ \t]|(?<!\r)\n|\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85]")


def scope_of(
    surroundings: Mapping[str, Any],
    method: bytes,
    uri: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    version: str = "1.1",
) -> dict[str, Any]:
    """What the application is told of a request; `surroundings` are its connection's part of it. Names in lower case.

    https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
    """
    path, _, query = uri.partition(b"?")
    return {
        **surroundings,
        "http_version": version,
        "method": method.decode("ascii"),
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        # CVE-2015-0219: with an underscore a name would pass for the one with a hyphen.
        "headers": [header for header in headers if b"_" not in header[0]],
    }


class PlainRequest:
    """One request as it comes.

    `client` is whoever waits for the answer, once the request is in hand; `request` is Twisted's, where it took over.
    """

    def __init__(self) -> None:
        self.raw = b""
        self.method = b""
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.client: Client | None = None
        self.request: Request | None = None
        self._parser = HttpRequestParser(self)
        self._is_odd = self._is_whole = False
        self._hosts = 0

    @property
    def has_whole_head(self) -> bool:
        return b"\r\n\r\n" in self.raw or b"\n\n" in self.raw

    def read(self, data: bytes) -> bool:
        """Take more of it. Returns whether it is whole; raises `ValueError` for one that is not plain."""
        self.raw += data
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise ValueError from error
        if self._is_odd or len(self.raw) > MAX_BYTES:
            raise ValueError
        if self._is_whole:
            self._require_plain()
        return self._is_whole

    def scope(self, surroundings: Mapping[str, Any]) -> dict[str, Any]:
        return scope_of(surroundings, self.method, self.url, self.headers)

    def open(self) -> BytesIO:
        return BytesIO(self.body)

    def _require_plain(self) -> None:
        head = self.raw[: len(self.raw) - len(self.body)]
        self.method = self._parser.get_method()
        is_plain = (
            self._parser.get_http_version() == "1.1"
            and len(head) <= _MAX_HEAD
            and len(self.headers) <= _MAX_HEADERS
            and self._hosts == 1
            and self.url.startswith(b"/")
            and self.url.isascii()
            and not _ODD.search(head)
        )
        if not is_plain:
            raise ValueError

    # What httptools calls

    def on_message_begin(self) -> None:
        self._is_odd = self._is_whole  # another one behind the first

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name, value = name.lower(), value.rstrip(b" \t")
        if name in _SPECIAL and not (name == b"connection" and value.lower() == b"keep-alive"):
            self._is_odd = True
        elif name == b"host":
            self._hosts += 1
            self.headers.append((name, value))
        elif name != b"daphne-root-path":  # it says under which path daphne is mounted, which no client may say
            self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self._is_whole = True
