"""What is measured of each target. All in milliseconds, megabytes and microseconds where the name says nothing else.

A load that met errors has no figures but their number: whoever fails is quick.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import requests

from benchmarks import load
from benchmarks.targets import Target

Figures = dict[str, float]
CLIENTS = (1, 32, 256)
_WARM_SECONDS = 2
_IN_FLIGHT = 500
_SLOW = "slow-10"


def whole_answers(target: Target, seconds: int) -> Figures:
    """How many answers a second, how long each takes, and what processor time it costs."""
    load.whole(target, 32, _WARM_SECONDS)
    figures: Figures = {}
    for clients in CLIENTS:
        before = target.cpu_seconds
        found = load.whole(target, clients, seconds)
        spent = target.cpu_seconds - before
        figures[f"errors, {clients}"] = found.errors
        if not found.errors:
            figures |= {
                f"answers/s, {clients}": found.per_second,
                f"p50, {clients}": found.p50,
                f"p95, {clients}": found.p95,
                f"p99, {clients}": found.p99,
                f"CPU µs/answer, {clients}": spent / (found.per_second * seconds) * 1e6,
            }
    return figures


def streams(target: Target, seconds: int) -> Figures:
    """16 clients, each stream 50 chunks that come without a pause."""
    load.streams(target, 16, _WARM_SECONDS)
    found = load.streams(target, 16, seconds)
    if found.errors:
        return {"stream errors": found.errors}
    return {
        "stream errors": 0,
        "streams/s": found.per_second,
        "chunks/s": found.chunks_per_second,
        "first token p50": found.first_p50,
        "first token p99": found.first_p99,
    }


def size(target: Target) -> Figures:
    """As it stands right after its start."""
    return {"MB after start": target.resident_mb, "seconds to start": target.start_seconds}


def waiting(target: Target) -> Figures:
    """500 calls under way, whose provider takes ten seconds."""
    service, _, _ = target.model.rpartition("/")
    slow = replace(target, model=f"{service}/{_SLOW}" if service else _SLOW)
    probe = target.address.replace("/v1/chat/completions", "/health")
    with ThreadPoolExecutor(1) as beside:
        calls = beside.submit(load.whole, slow, _IN_FLIGHT, 12)
        time.sleep(4)
        times = [_milliseconds(lambda: requests.get(probe, timeout=10)) for _ in range(50)]
        resident, errors = target.resident_mb, calls.result().errors
    if errors:
        return {"errors, 500 in flight": errors}
    return {"MB with 500 in flight": resident, "/health p50 with 500 in flight": statistics.median(times)}


def one_after_another(target: Target, seconds: int = 16) -> Figures:
    """The slowest of a lone client's calls, while figures are told to whoever listens every five seconds."""
    body = {"model": target.model, "messages": [{"role": "user", "content": "hi"}]}
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(target.headers)
        until, times = time.monotonic() + seconds, []
        while time.monotonic() < until:
            times.append(_milliseconds(lambda: session.post(target.address, json=body, timeout=10)))
    return {"slowest, 1": max(times), "p99.9, 1": statistics.quantiles(times, n=1000)[-1]}


def memory_in_time(target: Target, few: int = 20_000, many: int = 200_000) -> Figures:
    """What it takes after so many answers, and after so many."""
    answered, found = 0.0, {}
    for number in (few, many):
        while answered < number:
            answered += load.whole(target, 32, 5).per_second * 5
        found[f"MB after {number:,}"] = target.resident_mb
    return found


def _milliseconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin)
