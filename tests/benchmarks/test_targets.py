"""What is measured is what it is said to be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from benchmarks import targets
from benchmarks.targets import Target
from tests.live import ROOT


@pytest.fixture(scope="module")
def mock() -> Iterator[Target]:
    with targets.provider() as target:
        yield target


@pytest.mark.parametrize("history", [True, False])
def test_only_the_oxide_without_history_forgets_its_tasks(mock: Target, history: bool) -> None:
    with targets.oxide("oxide", mock, history=history) as oxide:
        body = {"model": oxide.model, "messages": [{"role": "user", "content": "hi"}]}
        answer = requests.post(oxide.address, json=body, headers=oxide.headers, timeout=30)
        assert answer.status_code == 200, answer.text
        base = oxide.address.removesuffix("/v1/chat/completions")
        kept = requests.get(f"{base}/api/tasks/history/", timeout=30).json()["total"]
    assert kept == (1 if history else 0)


def test_the_parts_of_a_call_add_up_to_the_whole() -> None:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("OXIDE_")}
    command = [sys.executable, "-m", "benchmarks.parts", "20"]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True, timeout=120)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    *parts, (last, whole) = [(part, int(number)) for part, number in rows]
    assert last == "all"
    assert sum(number for _, number in parts) == pytest.approx(whole, abs=len(parts))
    assert all(number > 0 for _, number in parts)
