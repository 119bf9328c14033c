"""Whether processes add up: one worker and two, over PostgreSQL and Redis.

    DATABASE_URL=postgres://… REDIS_URL=redis://… python -m benchmarks.workers

The database is to be empty. On a machine with as few cores as workers, load, provider and database take from Oxide what
a second worker would need. So beside the answers that come, what processor time an answer costs is measured: where it
does not grow with the number of workers, they add up as far as there are cores.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

from benchmarks import load, table, targets
from benchmarks.scenarios import Figures
from benchmarks.targets import Target

CLIENTS = 64
_ROUNDS = 3
_SECONDS = 5


@contextmanager
def served(workers: int, mock: Target) -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "oxide.yaml")
        base_url = mock.address.removesuffix("/chat/completions")
        service = {"type": "http", "api": "openai", "base_url": base_url, "model": "mock", "max_concurrency": 600}
        config.write_text(yaml.safe_dump({"services": {"mock": service}}))
        surroundings = {
            "OXIDE_DATA_DIR": folder,
            "OXIDE_CONFIG": str(config),
            "OXIDE_SECRET_KEY": "of the benchmark, and long enough for it",
            "OXIDE_RATE_LIMIT_ANON": targets.NO_LIMIT,
        }
        with targets.serving(["--workers", str(workers)], surroundings) as (url, pid, seconds):
            yield Target(f"{workers}", f"{url}/v1/chat/completions", "mock/mock", mock.headers, pid, seconds)


def measure(workers: int, mock: Target) -> Figures:
    with served(workers, mock) as target:
        load.whole(target, CLIENTS, 2)
        before = _cpu_seconds(target.pid)
        found = load.whole(target, CLIENTS, _SECONDS)
        spent = _cpu_seconds(target.pid) - before
    return {
        "answers/s": found.per_second,
        "CPU µs/answer": spent / (found.per_second * _SECONDS) * 1e6,
        "p50": found.p50,
        "errors": found.errors,
    }


def _cpu_seconds(pid: int) -> float:
    """Of one worker, or of the one who watches over several and of these."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children())]
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
