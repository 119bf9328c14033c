"""Many streams at once, read as they come, and how long each token took from the provider to here.

    python -m benchmarks.streams URL STREAMS TOKENS PAUSE_MS [START_SECONDS] [--hang-up-after TOKENS]

against an Oxide over `benchmarks.mock`. Prints JSON: times in milliseconds, from the sending of a request to its first
token (which the provider sends after one pause), and for every token from the provider's sending it to its arrival.
Tokens that are missing, out of order or another stream's are counted as `wrong`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvloop

_TOKEN = re.compile(rb'"content":\s*"(\S+) (\d+) ([\d.]+);"')


@dataclass
class Seen:
    """Of one stream."""

    first: float = 0.0
    delays: list[float] = field(default_factory=list)
    tokens: int = 0
    wrong: int = 0
    is_complete: bool = False


async def follow(url: str, name: str, wanted: argparse.Namespace) -> Seen:
    address = urlsplit(url)
    model = f"paced-{wanted.tokens}-{wanted.pause}"
    body = json.dumps({"model": f"mock/{model}", "stream": True, "messages": [{"role": "user", "content": name}]})
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    begin = time.monotonic()
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    seen, tag, rest = Seen(), name.encode(), b""
    while data := await reader.read(65_536):
        now = time.monotonic()
        *events, rest = (rest + data).split(b"\n\n")
        for event in events:
            _note(event, tag, now, begin, seen)
        if wanted.hang_up_after and seen.tokens >= wanted.hang_up_after:
            break
    writer.close()
    return seen


def _note(event: bytes, tag: bytes, now: float, begin: float, seen: Seen) -> None:
    if b"data: [DONE]" in event:
        seen.is_complete = True
    for found in _TOKEN.finditer(event):
        seen.first = seen.first or now - begin
        seen.tokens += 1
        seen.wrong += found[1] != tag or int(found[2]) != seen.tokens
        seen.delays.append(now - float(found[3]))


async def run(wanted: argparse.Namespace) -> list[Seen]:
    async def later(number: int) -> Seen:
        await asyncio.sleep(wanted.start * number / wanted.streams)
        return await follow(wanted.url, f"stream-{number}", wanted)

    return await asyncio.gather(*(later(number) for number in range(wanted.streams)))


def summary(found: list[Seen], tokens: int) -> dict[str, object]:
    delays = sorted(delay for seen in found for delay in seen.delays)
    firsts = sorted(seen.first for seen in found)
    return {
        "streams": len(found),
        "complete": sum(seen.is_complete and seen.tokens == tokens for seen in found),
        "tokens": len(delays),
        "wrong": sum(seen.wrong for seen in found),
        "first_token_ms": {name: share(firsts, part) for name, part in PARTS.items()},
        "delay_ms": {name: share(delays, part) for name, part in PARTS.items()},
    }


PARTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def share(values: list[float], part: float) -> float:
    return round(1000 * values[min(len(values) - 1, int(len(values) * part))], 2) if values else 0.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Many streams at once.")
    parser.add_argument("url")
    parser.add_argument("streams", type=int)
    parser.add_argument("tokens", type=int)
    parser.add_argument("pause", type=int, help="milliseconds")
    parser.add_argument("start", type=float, nargs="?", default=0.0, help="seconds over which they begin")
    parser.add_argument("--hang-up-after", type=int, default=0, metavar="TOKENS")
    wanted = parser.parse_args()
    print(json.dumps(summary(uvloop.run(run(wanted)), wanted.tokens)))  # noqa: T201 - what it is for
