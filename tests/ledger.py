"""Providers that keep exact books of what they charge, to be compared with Oxide's.

Each answers the calls of a plan, which both sides know by the number in the prompt. What a provider charges is
defined here, apart from Oxide's own arithmetic:

- A whole answer and a stream that ends well cost what their usage says.
- A stream that is cut, by the client or by the provider, costs what its usage had said up to there. For what it had
  not said, Oxide's rule for estimates is applied to the texts: a token for every four characters, rounded up.
- A whole answer that is cut costs the prompt, by the same rule.
- A call that fails with an error costs what its usage had said before, which is nothing but at Anthropic.
"""

from __future__ import annotations

import json
import math
import random
import re
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from tests.fake_dialects import DIALECTS, Answer, Dialect, Tokens

Mode = Literal["plain", "stream", "cancelled", "failover", "broken"]
NAMES = ("openai", "anthropic", "gemini", "ollama", "router")
_NUMBER = re.compile(rb"#(\d+)#")
_FIRST_WORD = b"w1"
_LAST_WORD_SENT = b"w2"  # of an answer that is cut


@dataclass(frozen=True)
class Price:
    """In nano-dollars for a token, and for a request."""

    input: int
    output: int
    cached: int
    write: int
    write_1h: int
    reasoning: int
    request: int = 0

    def of(self, tokens: Tokens) -> int:
        plain = tokens.prompt - tokens.cached - tokens.cache_write
        return (
            plain * self.input
            + tokens.cached * self.cached
            + (tokens.cache_write - tokens.cache_write_1h) * self.write
            + tokens.cache_write_1h * self.write_1h
            + (tokens.completion - tokens.reasoning) * self.output
            + tokens.reasoning * self.reasoning
            + self.request
        )

    @property
    def declared(self) -> dict[str, float]:
        """As in the configuration file."""
        return {
            "input_per_million": self.input / 1000,
            "output_per_million": self.output / 1000,
            "cached_input_per_million": self.cached / 1000,
            "cache_write_per_million": self.write / 1000,
            "cache_write_1h_per_million": self.write_1h / 1000,
            "reasoning_per_million": self.reasoning / 1000,
            "per_request": self.request / 10**9,
        }


PRICES: Mapping[str, Price] = {
    "openai": Price(1_250, 10_000, 125, 1_250, 1_250, 10_000),
    "anthropic": Price(3_000, 15_000, 300, 3_750, 6_000, 15_000),
    "gemini": Price(300, 2_500, 75, 300, 300, 3_500),
    "ollama": Price(7, 13, 7, 7, 7, 13, request=21_000),
    "router": Price(1_001, 2_003, 101, 1_001, 1_001, 2_003),
}


@dataclass(frozen=True)
class Plan:
    """One call: what becomes of it, and at which provider; with `failover` at the next one in the end."""

    number: int
    service: str
    mode: Mode

    @property
    def prompt(self) -> str:
        return f"#{self.number}# {'please ' * (self.number % 7)}count"

    @property
    def answering(self) -> str:
        return NAMES[(NAMES.index(self.service) + 1) % len(NAMES)] if self.mode == "failover" else self.service

    def answer(self, service: str) -> Answer:
        chance = random.Random(f"{self.number} {service}")
        prompt, completion = chance.randint(40, 5_000), chance.randint(10, 900)
        tokens = Tokens(prompt, completion)
        if service != "ollama":
            tokens = replace(tokens, cached=chance.randint(0, prompt // 2), reasoning=chance.randint(0, completion - 1))
        if service == "anthropic":
            write = chance.randint(0, prompt // 3)
            tokens = replace(tokens, cache_write=write, cache_write_1h=chance.randint(0, write))
        if service == "router":
            tokens = replace(tokens, cost=chance.randint(0, 10**7) / 10**9)
            if chance.random() < 0.3:
                tokens = replace(tokens, upstream=chance.randint(0, 10**7) / 10**9)
        return Answer(text="w1 w2 w3 w4", tokens=tokens)


def plans(count: int) -> list[Plan]:
    """Failures of one provider are far apart, so that none is taken for a provider that is down."""
    modes: tuple[Mode, ...] = ("plain", "stream", "plain", "cancelled", "stream", "failover", "plain", "stream")
    cycle = (*modes, "plain", "broken", "stream", "plain")
    return [
        Plan(number, NAMES[number % len(NAMES)], cycle[number // len(NAMES) % len(cycle)]) for number in range(count)
    ]


@dataclass(frozen=True)
class Charge:
    """What one provider charges for one call, in nano-dollars."""

    number: int
    service: str
    tokens: Tokens
    nanodollars: int
    basis: str


class LedgerProvider:
    """One provider on a port of its own. `charges` are its books."""

    def __init__(self, name: str, planned: Mapping[int, Plan]) -> None:
        self.name = name
        self.api = "openai" if name == "router" else name
        self.dialect: Dialect = DIALECTS[self.api]
        self.charges: list[Charge] = []
        self._planned = planned
        self._server = _Server(self)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.dialect.root}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: bytes, wire: _Wire) -> bool:
        """Answer one call, and return whether the connection stays open."""
        found = _NUMBER.search(body)
        if not found:
            return wire.send_json(200, self.dialect.models(["alpha"]))
        plan, asked = self._planned[int(found[1])], json.loads(body)
        answer, is_stream = plan.answer(self.name), self.dialect.is_stream(path, asked)
        if plan.mode == "failover" and self.name == plan.service:
            return self._fail(plan, answer, wire, is_stream=is_stream)
        if plan.mode in ("cancelled", "broken"):
            return self._cut(plan, answer, wire, is_stream=is_stream)
        self._charge(plan, answer.tokens or Tokens())
        if not is_stream:
            return wire.send_json(200, self.dialect.whole(answer, "alpha"))
        return wire.send_stream(self.dialect.stream_type, self.dialect.frames(answer, "alpha"))

    def _fail(self, plan: Plan, answer: Answer, wire: _Wire, *, is_stream: bool) -> bool:
        if not is_stream or plan.number % 2:
            status, document = self.dialect.refusals["model"]
            return wire.send_json(status, document)
        frames = self.dialect.frames(answer, "alpha")
        greeting = frames[: next(index for index, frame in enumerate(frames) if _FIRST_WORD in frame)]
        if self.api == "anthropic":
            known = replace(answer.tokens or Tokens(), completion=1, reasoning=0)
            self._charge(plan, known, is_estimated=True)
        return wire.send_stream(self.dialect.stream_type, [*greeting, self.dialect.error_frame()])

    def _cut(self, plan: Plan, answer: Answer, wire: _Wire, *, is_stream: bool) -> bool:
        prompt, said = math.ceil(len(plan.prompt) / 4), math.ceil(len("w1 w2") / 4)
        if not is_stream:
            self._charge(plan, Tokens(prompt, 0), is_estimated=True)
            return wire.cut_json(self.dialect.whole(answer, "alpha"))
        tokens = Tokens(prompt, said)
        if self.api == "anthropic":
            tokens = replace(answer.tokens or tokens, completion=said, reasoning=0)
        self._charge(plan, tokens, is_estimated=True)
        frames = self.dialect.frames(answer, "alpha")
        last = next(index for index, frame in enumerate(frames) if _LAST_WORD_SENT in frame)
        return wire.cut_stream(self.dialect.stream_type, frames[: last + 1], wait=plan.mode == "cancelled")

    def _charge(self, plan: Plan, tokens: Tokens, *, is_estimated: bool = False) -> None:
        cost, basis = PRICES[self.name].of(tokens), "estimated" if is_estimated else "computed"
        if tokens.cost is not None and not is_estimated:
            cost, basis = round(tokens.cost * 10**9) + round((tokens.upstream or 0) * 10**9), "reported"
        self.charges.append(Charge(plan.number, self.name, tokens, cost, basis))


class _Wire(socketserver.BaseRequestHandler):
    """HTTP over one connection that stays open, with as little work as possible."""

    server: _Server

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for path, body in self._requests():
                if not self.server.provider.answer(path, body, self):
                    return
        except OSError:
            return

    def send_json(self, status: int, document: Any) -> bool:
        content = json.dumps(document).encode()
        self.request.sendall(_head(status, "application/json", f"Content-Length: {len(content)}") + content)
        return True

    def cut_json(self, document: Any) -> bool:
        content = json.dumps(document).encode()
        head = _head(200, "application/json", f"Content-Length: {len(content)}")
        self.request.sendall(head + content[: len(content) // 2])
        return False

    def send_stream(self, kind: str, frames: list[bytes]) -> bool:
        chunks = b"".join(map(_chunk, frames)) + b"0\r\n\r\n"
        self.request.sendall(_head(200, kind, "Transfer-Encoding: chunked") + chunks)
        return True

    def cut_stream(self, kind: str, frames: list[bytes], *, wait: bool) -> bool:
        chunks = b"".join(map(_chunk, frames))
        self.request.sendall(_head(200, kind, "Transfer-Encoding: chunked") + chunks)
        if wait:  # for the caller to hang up
            self.request.recv(1)
        return False

    def _requests(self) -> Iterator[tuple[str, bytes]]:
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                if not (piece := self.request.recv(65_536)):
                    return
                buffer += piece
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            length = int(found[1]) if found else 0
            while len(buffer) < length:
                if not (piece := self.request.recv(65_536)):
                    return
                buffer += piece
            body, buffer = buffer[:length], buffer[length:]
            yield head.split(b" ", 2)[1].decode(), body


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, provider: LedgerProvider) -> None:
        super().__init__(("127.0.0.1", 0), _Wire)
        self.provider = provider


def _head(status: int, kind: str, framing: str) -> bytes:
    return f"HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
