"""Whether a call failed because of the scheme of its address: `http` to a server of TLS, `https` to one without.

Servers react in different ways: an answer in plain text, a TLS alert, a closed connection, silence. So the server
itself is asked, once and only after a call has failed.
"""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from oxide_client.errors import (
    WANTS_TLS,
    ConnectionFailedError,
    ConnectionLostError,
    DeadlineError,
    OxideError,
    WrongAddressError,
    is_unreachable,
    wrong_scheme,
)

_SECONDS = 2.0
_PORTS = {"http": 80, "https": 443}


def may_be_wrong(base_url: str, error: OxideError) -> bool:
    """Whether a failure looks as it does where the scheme is wrong."""
    if isinstance(error, DeadlineError):
        return base_url.startswith("https")  # a server without TLS may wait for the rest of the greeting
    if isinstance(error, WrongAddressError) or is_unreachable(error):
        return False
    return isinstance(error, (ConnectionFailedError, ConnectionLostError))


def mismatch(base_url: str) -> WrongAddressError | None:
    """The error that names the right address; None where the scheme is not what is wrong."""
    parts = urlsplit(base_url)
    address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
    if parts.scheme == "http" and _speaks_tls(address):
        return wrong_scheme(base_url, "https")
    if parts.scheme == "https" and _speaks_plain_http(address):
        return wrong_scheme(base_url, "http")
    return None


def _speaks_tls(address: tuple[str, int]) -> bool:
    context = ssl.create_default_context()
    # Nothing is sent over it: what matters is only that there is a handshake.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address, _SECONDS) as opened,
            context.wrap_socket(opened, server_hostname=address[0]),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # only a TLS server sends one
    except (OSError, ValueError):
        return False


def _speaks_plain_http(address: tuple[str, int]) -> bool:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    request = f"GET /health HTTP/1.1\r\nHost: {host}:{address[1]}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(address, _SECONDS) as opened:
            opened.sendall(request.encode("ascii", "ignore"))
            answer = opened.recv(4096)
    except (OSError, ValueError):
        return False
    # Some servers of TLS say in plain text that they want to be asked otherwise.
    return answer.startswith(b"HTTP/") and not WANTS_TLS.search(answer)
