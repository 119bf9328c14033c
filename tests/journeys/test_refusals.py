"""What no view gets to see is answered like everything else: in the dialect of its address, with the rate limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until

THREADS = 8
LIMIT = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest.fixture
def oxide(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    live.environment |= {"OXIDE_RATE_LIMIT_ANON": "500/m", "OXIDE_MAX_BODY_MB": "1", "OXIDE_THREADS": str(THREADS)}
    live.declare("slow", provider.base_url("openai"), api="openai", max_concurrency=100)
    return live.start()


def assert_refused(answer: requests.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert all(name in answer.headers for name in LIMIT)
    if "/v1/" in str(answer.url):
        assert answer.json()["error"]["message"]
        assert answer.headers["x-request-id"]
    else:
        assert answer.json()["code"] == code


def test_a_body_that_is_too_large(oxide: LiveOxide) -> None:
    body = b'{"prompt": "' + b"x" * 2_000_000 + b'"}'
    for path in ("/api/tasks/execute/", "/v1/chat/completions"):
        for data in (body, iter([body])):  # with its length, and in chunks
            answer = oxide.post(path, data=data, headers={"Content-Type": "application/json"})
            assert_refused(answer, 413, "PAYLOAD_TOO_LARGE")


def test_an_address_that_nothing_can_have(oxide: LiveOxide) -> None:
    for path in ("/api/tasks/%00/", "/v1/models/%00"):
        assert_refused(oxide.get(path), 400, "VALIDATION_ERROR")
    answer = oxide.post("/v1/embeddings", data=b"{}", headers={"Content-Type": "application/json; charset=nonsense"})
    assert_refused(answer, 400, "VALIDATION_ERROR")


def test_more_callers_than_threads(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("hang")
    with ThreadPoolExecutor(THREADS) as callers:
        hanging = [callers.submit(_list_models, oxide) for _ in range(THREADS)]
        # All of them, beside the first health check: a look from here before that may take the last thread from one.
        wait_until(lambda: sum("/models" in each.path for each in provider.requests) > THREADS)
        wait_until(lambda: oxide.get("/api/services/").status_code == 503)
        assert_refused(oxide.get("/api/services/"), 503, "SERVICE_BUSY")
        assert_refused(oxide.get("/v1/models"), 503, "SERVICE_BUSY")
        assert oxide.get("/health").status_code == 200
        provider.stop()
        for future in hanging:
            future.result()


def _list_models(oxide: LiveOxide) -> requests.Response:
    return requests.get(f"{oxide.url}/api/services/slow/models/", timeout=60)
