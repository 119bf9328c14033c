"""A provider that costs next to nothing: it answers OpenAI's chat completions from memory, as fast as sockets allow.

    python -m benchmarks.mock PORT

Answers are fixed, so that whatever is measured is what stands before it. The model's name says what is wanted:
`mock` answers at once; `slow-S` after S seconds. A stream has 50 chunks without pause; of the model `paced-N-MS`
it has N chunks, one every MS milliseconds, each of which holds the prompt, its number and the moment it was sent
(`time.monotonic`, which all processes of a machine share). `GET /stats` tells how many streams are open, and how
many were hung up on before their end.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import uvloop

WORDS = 50
_MODEL = re.compile(rb'"model":\s*"([^"]+)"')
_PROMPT = re.compile(rb'"content":\s*"([^"]*)"')
_STREAM = re.compile(rb'"stream":\s*true')
_HEAD = {"id": "chatcmpl-mock", "created": 1_700_000_000, "model": "mock"}
_USAGE = {"prompt_tokens": 10, "completion_tokens": WORDS, "total_tokens": 10 + WORDS}


def _whole(document: Any) -> bytes:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def _event(what: dict[str, Any]) -> bytes:
    data = {**_HEAD, "object": "chat.completion.chunk", **what}
    return _framed(b"data: " + json.dumps(data).encode() + b"\n\n")


def _framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _last(words: int) -> bytes:
    usage = {**_USAGE, "completion_tokens": words, "total_tokens": 10 + words}
    end = _chunk({}, "stop") + _event({"choices": [], "usage": usage})
    return end + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


_MESSAGE = {"role": "assistant", "content": "word " * WORDS}
_CHOICES = [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}]
ANSWER = _whole({**_HEAD, "object": "chat.completion", "choices": _CHOICES, "usage": _USAGE})
MODELS = _whole({"object": "list", "data": []})  # so that it may be asked for any
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FIRST = _chunk({"role": "assistant", "content": ""})
STREAM = STREAM_HEAD + FIRST + _chunk({"content": "word "}) * WORDS + _last(WORDS)


class Provider:
    """What all connections share."""

    def __init__(self) -> None:
        self.open = 0
        self.hung_up = 0


class Connection(asyncio.Protocol):
    """One client. Requests come one after the other, with a Content-Length."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._received = b""
        self._next: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._next:
            self._next.cancel()
            self._provider.hung_up += 1
            self._end()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[: end + 4]
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            total = len(head) + (int(length[1]) if length else 0)
            if len(self._received) < total:
                return
            body, self._received = self._received[len(head) : total], self._received[total:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            stats = _whole({"open": self._provider.open, "hung_up": self._provider.hung_up})
            self._transport.write(stats if head.startswith(b"GET /stats") else MODELS)
            return
        found = _MODEL.search(body)
        model = found[1].decode() if found else "mock"
        if model.startswith("paced-"):
            prompts = _PROMPT.findall(body)
            self._pace(model, prompts[-1].decode() if prompts else "")
        elif _STREAM.search(body):
            self._transport.write(STREAM)
        elif model.startswith("slow-"):
            asyncio.get_running_loop().call_later(float(model.removeprefix("slow-")), self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)

    def _pace(self, model: str, prompt: str) -> None:
        chunks, milliseconds = map(int, model.removeprefix("paced-").split("-"))
        self._provider.open += 1
        self._transport.write(STREAM_HEAD + FIRST)
        begin, pause = asyncio.get_running_loop().time(), milliseconds / 1000
        # One timer at a time: of two that are set while the loop lags behind, the later one may come first.
        self._wait(lambda number: begin + number * pause, 1, chunks, prompt)

    def _wait(self, when: Callable[[int], float], number: int, chunks: int, prompt: str) -> None:
        loop = asyncio.get_running_loop()
        self._next = loop.call_at(when(number), self._say, when, number, chunks, prompt)

    def _say(self, when: Callable[[int], float], number: int, chunks: int, prompt: str) -> None:
        if number > chunks:
            self._transport.write(_last(chunks))
            self._end()
            return
        self._transport.write(_chunk({"content": f"{prompt} {number} {time.monotonic():.6f};"}))
        self._wait(when, number + 1, chunks, prompt)

    def _end(self) -> None:
        self._next = None
        self._provider.open -= 1


async def serve(port: int) -> None:
    provider = Provider()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
