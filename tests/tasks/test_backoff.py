from __future__ import annotations

from services.adapters.base import ErrorKind, ProviderError
from tasks.backoff import LONGEST_SECONDS, delay_before_retry


def failure(kind: ErrorKind = ErrorKind.SERVER, retry_after: float | None = None) -> ProviderError:
    return ProviderError(kind, "It failed.", retry_after=retry_after)


def test_waits_grow_with_each_failure_and_differ_from_caller_to_caller() -> None:
    first = {delay_before_retry(failure(), 1, 100) for _ in range(50)}
    third = {delay_before_retry(failure(), 3, 100) for _ in range(50)}
    assert len(first) > 1
    assert max(filter(None, first)) < min(filter(None, third))


def test_what_the_provider_asks_for_is_obeyed() -> None:
    assert delay_before_retry(failure(retry_after=3), 1, 100) == 3


def test_nobody_waits_longer_than_makes_sense() -> None:
    assert delay_before_retry(failure(retry_after=LONGEST_SECONDS + 1), 1, 100) is None
    assert delay_before_retry(failure(retry_after=3), 1, 2) is None
    assert delay_before_retry(failure(), 20, 1000) is None


def test_a_permanent_failure_is_not_waited_for() -> None:
    assert delay_before_retry(failure(ErrorKind.AUTH), 1, 100) is None
