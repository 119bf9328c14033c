"""Load on one address: so many clients, each of which asks again as soon as it has its answer.

    python -m benchmarks.hammer URL CLIENTS SECONDS < request.json

`request.json` has `headers` and `body`, a text. Prints JSON: `Load`. A few thousand requests a second for each core, so
that it is not what is measured; where wrk is installed, `benchmarks/load.py` takes that for whole answers.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.streams import share

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass
class Load:
    """What came of it. Times are in milliseconds; `first` is the time to the first token of a stream."""

    per_second: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    errors: int = 0
    chunks_per_second: float = 0.0
    first_p50: float = 0.0
    first_p99: float = 0.0


@dataclass
class Seen:
    times: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    chunks: int = 0
    errors: int = 0


class Client(asyncio.Protocol):
    """One connection that is kept."""

    def __init__(self, request: bytes, seen: Seen) -> None:
        self._request = request
        self._seen = seen
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        self._received = b""
        self._first = 0.0
        self._begin = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n") + 4
        if head_end < 4:
            return
        body = self._received[head_end:]
        length = _LENGTH.search(self._received, 0, head_end)
        if not length and not self._first and b'"content":' in body:
            self._first = time.perf_counter() - self._begin
        if len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n"):
            self._note(body, is_stream=not length)
            self._ask()

    def _note(self, body: bytes, *, is_stream: bool) -> None:
        seen = self._seen
        seen.times.append(time.perf_counter() - self._begin)
        if not self._received.startswith(b"HTTP/1.1 200") or (is_stream and b"[DONE]" not in body):
            seen.errors += 1
        if is_stream:
            seen.firsts.append(self._first)
            seen.chunks += body.count(b"data: {")

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self._seen.errors += 1
            self.done.set_result(None)


async def hammer(url: str, clients: int, seconds: float, request: dict[str, str]) -> Load:
    address, loop, seen = urlsplit(url), asyncio.get_running_loop(), Seen()
    body = request["body"].encode()
    headers = {**cast("dict[str, str]", request["headers"]), "Host": address.netloc, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    whole = f"POST {address.path} HTTP/1.1\r\n{lines}\r\n".encode() + body
    begin = time.perf_counter()
    host, port = str(address.hostname), int(address.port or 80)
    made = [await loop.create_connection(lambda: Client(whole, seen), host, port) for _ in range(clients)]
    await asyncio.wait([client.done for _, client in made], timeout=seconds, return_when=asyncio.ALL_COMPLETED)
    took = time.perf_counter() - begin
    for transport, client in made:
        client.done.cancel()
        transport.abort()
    times, firsts = sorted(seen.times), sorted(seen.firsts)
    return Load(
        per_second=len(seen.times) / took,
        p50=share(times, 0.5),
        p95=share(times, 0.95),
        p99=share(times, 0.99),
        errors=seen.errors,
        chunks_per_second=seen.chunks / took,
        first_p50=share(firsts, 0.5),
        first_p99=share(firsts, 0.99),
    )


if __name__ == "__main__":
    found = uvloop.run(hammer(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), json.load(sys.stdin)))
    print(json.dumps(asdict(found)))  # noqa: T201 - what it is for
