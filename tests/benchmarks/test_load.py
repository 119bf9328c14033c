"""The generators of load, on the benchmark's own provider."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from benchmarks import load, targets
from benchmarks.targets import Target


@pytest.fixture(scope="module")
def mock() -> Iterator[Target]:
    with targets.provider() as target:
        yield target


@pytest.mark.parametrize("generator", ["hammer", "wrk"])
def test_answers_are_counted_and_timed(mock: Target, generator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if generator == "hammer":
        monkeypatch.setattr(shutil, "which", lambda _name: None)
    elif not shutil.which("wrk"):
        pytest.skip("wrk is not installed")
    found = load.whole(mock, clients=2, seconds=1)
    assert found.per_second > 10
    assert 0 < found.p50 <= found.p95 <= found.p99
    assert found.errors == 0


def test_streams_are_counted_with_their_chunks(mock: Target) -> None:
    found = load.streams(mock, clients=2, seconds=1)
    assert found.errors == 0
    assert found.chunks_per_second == pytest.approx(53 * found.per_second)  # 50, the first, the last, the figures
    assert 0 < found.first_p50 <= found.p50


def test_processor_time_and_memory_are_the_targets_own(mock: Target) -> None:
    before = mock.cpu_seconds
    load.whole(mock, clients=2, seconds=1)
    assert mock.cpu_seconds > before
    assert 5 < mock.resident_mb < 500
