"""Whether processes add up: one worker and two, over PostgreSQL and Redis.

    DATABASE_URL=postgres://… REDIS_URL=redis://… python -m benchmarks.workers

The database is to be empty. On a machine with as few cores as workers, load, provider and database take from Oxide what
a second worker would need. So beside the answers that come, two things are measured that do not depend on that: what
processor time an answer costs, which must not grow with the number of workers, and how many answers come where
threads are what is short (16 for each worker, over a provider that takes a tenth of a second).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import yaml

from benchmarks import load, table, targets
from benchmarks.scenarios import Figures
from benchmarks.targets import Target

CLIENTS = 64
_FEW_THREADS = 16
_ROUNDS = 3
_SECONDS = 5


@contextmanager
def served(workers: int, threads: int, mock: Target) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "oxide.yaml")
        base_url = mock.address.removesuffix("/chat/completions")
        service = {"type": "http", "api": "openai", "base_url": base_url, "model": "mock", "max_concurrency": 600}
        config.write_text(yaml.safe_dump({"services": {"mock": service}}))
        surroundings = {
            "OXIDE_DATA_DIR": folder,
            "OXIDE_CONFIG": str(config),
            "OXIDE_SECRET_KEY": "of the benchmark, and long enough for it",
            "OXIDE_THREADS": str(threads),
            "OXIDE_RATE_LIMIT_ANON": targets.NO_LIMIT,
        }
        with targets.serving(["--workers", str(workers)], surroundings) as (url, pid, seconds):
            yield Target(f"{workers}", f"{url}/v1/chat/completions", "mock/mock", mock.headers, pid, seconds)


def measure(workers: int, mock: Target) -> Figures:
    with served(workers, 640, mock) as target:
        load.whole(target, CLIENTS, 2)
        before = _cpu_seconds(target.pid)
        quick = load.whole(target, CLIENTS, _SECONDS)
        spent = _cpu_seconds(target.pid) - before
    with served(workers, _FEW_THREADS, mock) as target:
        slow = load.whole(replace(target, model="mock/slow-0.1"), workers * _FEW_THREADS, _SECONDS)
    return {
        "answers/s": quick.per_second,
        "CPU µs/answer": spent / (quick.per_second * _SECONDS) * 1e6,
        "errors": quick.errors + slow.errors,
        "answers/s, few threads": slow.per_second,
    }


def _cpu_seconds(supervisor: int) -> float:
    times = [process.cpu_times() for process in psutil.Process(supervisor).children()]
    return sum(each.user + each.system for each in times)


def main() -> None:
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    if missing:
        raise SystemExit(f"Set {' and '.join(missing)}: several workers share a database and their counters.")
    found: dict[str, list[Figures]] = {"1 worker": [], "2 workers": []}
    with targets.provider() as mock:
        for number in range(_ROUNDS):
            for workers in (1, 2) if number % 2 == 0 else (2, 1):
                found[f"{workers} worker{'s' * (workers > 1)}"].append(measure(workers, mock))
    print(table.markdown(table.medians(found)))  # noqa: T201 - for whoever waits for it


if __name__ == "__main__":
    main()
