"""Latencies in buckets that grow by a constant factor: small to keep, exact to add, and good for any percentile.

Twelve buckets for each power of ten, from one millisecond to 28 hours. A percentile is told as the middle of its
bucket, by ratio, and so at most 10.1 % off (half a bucket: the 24th root of 10).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

PER_DECADE = 12
# Bucket 0 holds whatever takes up to a millisecond, the last whatever takes longer than 10^8 of them.
LAST = 8 * PER_DECADE + 1


def bucket_of(milliseconds: float) -> int:
    if milliseconds <= 1:
        return 0
    return min(LAST, math.ceil(math.log10(milliseconds) * PER_DECADE - 1e-9))


def upper_bound(bucket: int) -> float:
    """The longest latency of a bucket, in milliseconds."""
    return math.inf if bucket >= LAST else math.pow(10, bucket / PER_DECADE)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The latency in milliseconds that `share` of all stay below; None where there are none."""
    rank = math.ceil(sum(counts.values()) * share)
    if rank <= 0:
        return None
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return round(_middle(bucket), 2)
    return None


def _middle(bucket: int) -> float:
    return math.pow(10, (min(bucket, LAST - 1) - 0.5) / PER_DECADE)
