from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from monitoring.histogram import LAST, bucket_of, percentile, upper_bound


@pytest.mark.parametrize("milliseconds", [0.0, 0.4, 1.0, 1.001, 9.99, 10.0, 10.01, 12_345.6, 86_400_000.0])
def test_a_latency_lies_between_the_bounds_of_its_bucket(milliseconds: float) -> None:
    bucket = bucket_of(milliseconds)
    assert milliseconds <= upper_bound(bucket) * (1 + 1e-9)
    assert bucket == 0 or milliseconds > upper_bound(bucket - 1)


def test_whatever_is_too_long_goes_into_the_last_bucket() -> None:
    assert bucket_of(1e12) == LAST
    assert upper_bound(LAST) == math.inf


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_percentiles_are_at_most_a_tenth_off(share: float) -> None:
    chance = random.Random(7)
    latencies = sorted(math.exp(chance.gauss(6, 1.5)) for _ in range(5_000))
    told = percentile(Counter(map(bucket_of, latencies)), share)
    true = latencies[math.ceil(len(latencies) * share) - 1]
    assert told == pytest.approx(true, rel=0.102)


def test_of_one_latency_every_percentile_is_that_one() -> None:
    counts = {bucket_of(250): 1}
    assert {percentile(counts, share) for share in (0.01, 0.5, 0.99)} == {percentile(counts, 1)}
    assert percentile(counts, 0.5) == pytest.approx(250, rel=0.102)


def test_of_no_latency_there_is_no_percentile() -> None:
    assert percentile({}, 0.5) is None
