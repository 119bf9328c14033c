"""Many who look on: WebSockets that listen and say nothing.

    python -m benchmarks.crowd PORT NUMBER [--tasks]

Prints `ready` once all of them are connected, and how many bytes came to all of them when it ends, with its standard
input. But with --tasks they leave out the news of single tasks: at a thousand a second no person would read them, and a
thousand readers on the same machine would take more of it than what they read.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import sys

_AT_ONCE = 50
_HELLO = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)
_LEAVE_OUT = b'{"type":"unsubscribe","topics":["tasks"]}'


class Onlooker:
    def __init__(self) -> None:
        self.bytes = 0

    async def begin(self, port: int, *, tasks: bool) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(_HELLO.format(key=key).encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise RuntimeError(f"No WebSocket: {head.decode()}")
        if not tasks:
            self._writer.write(_frame(_LEAVE_OUT))
            await self._reader.readuntil(b'"subscribed"')

    async def listen(self) -> None:
        while data := await self._reader.read(1 << 16):
            self.bytes += len(data)

    def end(self) -> None:
        self._writer.close()


def _frame(text: bytes) -> bytes:
    """https://www.rfc-editor.org/rfc/rfc6455#section-5.2, masked with zeros."""
    return struct.pack("!BB4x", 0x81, 0x80 | len(text)) + text


async def main(port: int, number: int, *, tasks: bool) -> None:
    crowd = [Onlooker() for _ in range(number)]
    for start in range(0, number, _AT_ONCE):
        await asyncio.gather(*(onlooker.begin(port, tasks=tasks) for onlooker in crowd[start : start + _AT_ONCE]))
    listening = [asyncio.create_task(onlooker.listen()) for onlooker in crowd]
    print("ready", flush=True)  # noqa: T201 - for whoever started it
    await asyncio.to_thread(sys.stdin.read)
    print(sum(onlooker.bytes for onlooker in crowd), flush=True)  # noqa: T201 - as above
    for task, onlooker in zip(listening, crowd, strict=True):
        task.cancel()
        onlooker.end()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), tasks="--tasks" in sys.argv))
