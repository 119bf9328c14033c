"""Bodies of requests that come compressed: https://www.rfc-editor.org/rfc/rfc9110#section-8.4"""

from __future__ import annotations

import zlib

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError

ACCEPTED = ("gzip", "deflate")
_ALIASES = {"x-gzip": "gzip"}
# More than one is unheard of; each could blow the one before up a thousandfold.
_MOST_LAYERS = 2
# Of one gzip body: https://www.rfc-editor.org/rfc/rfc1952#section-2.2. Reading each copies what follows it.
_MOST_MEMBERS = 64
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class UnsupportedEncodingError(Exception):
    """The body is compressed in a way that is not read here."""


def decompressed(content: bytes, content_encoding: str, most: int) -> bytes:
    """The body as it was before its client compressed it.

    Never makes more than `most` bytes of it: raises `RequestDataTooBig` instead. Raises `ParseError` for what is not
    compressed as the header says, and `UnsupportedEncodingError`.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    layers = [_ALIASES.get(name, name) for name in names if name not in ("", "identity")]
    for name in layers:
        if name not in ACCEPTED:
            raise UnsupportedEncodingError(
                f"Oxide reads no bodies with Content-Encoding: {name[:50]}. Send gzip or deflate, or no compression."
            )
    if len(layers) > _MOST_LAYERS:
        raise UnsupportedEncodingError("The body is compressed too many times. Send gzip or deflate, once.")
    for name in reversed(layers):  # the last was applied last
        content = _inflated(content, name, most)
    return content


def _inflated(content: bytes, name: str, most: int) -> bytes:
    if name == "gzip" and content.lstrip()[:1] in (b"{", b"["):
        return content  # a proxy has decompressed it, and has left the header
    result, rest = bytearray(), content
    for _ in range(_MOST_MEMBERS):
        reader = zlib.decompressobj(_GZIP if name == "gzip" else _window(content))
        try:
            result += reader.decompress(rest, most + 1 - len(result))
        except zlib.error as error:
            raise _spoilt(name, str(error)) from None
        if len(result) > most:
            raise RequestDataTooBig
        if not reader.eof:
            raise _spoilt(name, "it ends too early")
        rest = reader.unused_data
        if name == "deflate" or not rest.strip(b"\0"):  # what follows is padding
            return bytes(result)
    raise _spoilt(name, f"it has more than {_MOST_MEMBERS} members")


def _window(content: bytes) -> int:
    """`deflate` is the zlib format, but some programs send it without its head.

    https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2, https://www.rfc-editor.org/rfc/rfc1950#section-2.2
    """
    head = content[:2]
    is_zlib = len(head) == 2 and head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0
    return _ZLIB if is_zlib else _RAW


def _spoilt(name: str, why: str) -> ParseError:
    return ParseError(f"The body is not what Content-Encoding: {name} says ({why}). Compress it again, or not at all.")
