"""Money: every call that reached a provider is in the account, to the last token that the provider reported."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.fake_provider import FakeProvider, Tokens
from tests.journeys.sdks.conftest import KINDS
from tests.live import LiveOxide
from tests.waiting import wait_until

ASKED = [{"role": "user", "content": "What is quantum computing?"}]
# In US dollars a million tokens: what the services in `oxide` cost.
PRICES = {"prompt": 1, "cached": 0.1, "cache_write": 1.25, "completion": 2, "reasoning": 3}


@pytest.fixture
def priced(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    price = {
        "input_per_million": PRICES["prompt"],
        "cached_input_per_million": PRICES["cached"],
        "cache_write_per_million": PRICES["cache_write"],
        "output_per_million": PRICES["completion"],
        "reasoning_per_million": PRICES["reasoning"],
    }
    for kind in KINDS:
        live.declare(kind, provider.base_url(kind), api=kind, price=price, max_retries=0)
    return live.start()


def attempts(oxide: LiveOxide) -> list[dict[str, Any]]:
    """All of them, of all tasks, as soon as none is open any more."""
    listed = oxide.get("/api/tasks/history/", params={"limit": 1000}).json()["tasks"]
    return [each for task in listed for each in oxide.get(f"/api/tasks/{task['id']}/").json()["attempts"]]


def nothing_is_open(oxide: LiveOxide) -> bool:
    statuses = [task["status"] for task in oxide.get("/api/tasks/history/").json()["tasks"]]
    return not {"running", "queued"} & set(statuses)


def cost_of(tokens: Tokens) -> float:
    plain = tokens.prompt - tokens.cached - tokens.cache_write
    written = tokens.completion - tokens.reasoning
    millionths = (
        plain * PRICES["prompt"]
        + tokens.cached * PRICES["cached"]
        + tokens.cache_write * PRICES["cache_write"]
        + written * PRICES["completion"]
        + tokens.reasoning * PRICES["reasoning"]
    )
    return millionths / 1_000_000


def test_what_was_answered_is_counted_to_the_last_token(priced: LiveOxide, provider: FakeProvider) -> None:
    provider.say(tokens=Tokens(1000, 500, cached=300, cache_write=100, reasoning=200))
    for kind in KINDS:
        for stream in (False, True):
            body = {"model": kind, "messages": ASKED, "max_tokens": 10, "stream": stream}
            for path in ("/v1/chat/completions", "/v1/messages"):
                requests.post(f"{priced.url}{path}", json=body, timeout=30).raise_for_status()
            body = {"model": kind, "input": "What?", "stream": stream}
            requests.post(f"{priced.url}/v1/responses", json=body, timeout=30).raise_for_status()
            requests.post(
                f"{priced.url}/api/tasks/execute/", json={"prompt": "x", "service": kind, "stream": stream}, timeout=30
            ).raise_for_status()
    wait_until(lambda: nothing_is_open(priced))
    found = attempts(priced)
    assert len(found) == len(provider.reported) == 8 * len(KINDS)
    for kind in KINDS:
        seen = provider.reported_by(kind)
        mine = [each for each in found if each["service"] == kind]
        assert sum(each["usage"]["prompt_tokens"] for each in mine) == sum(tokens.prompt for tokens in seen)
        assert sum(each["usage"]["completion_tokens"] for each in mine) == sum(tokens.completion for tokens in seen)
        assert all(each["cost_basis"] == "computed" and each["usage"]["reported"] for each in mine)
    # Of the others Ollama tells neither of a cache nor of thoughts, and Gemini of no writing to a cache.
    known = {"openai": seen_fully, "anthropic": seen_fully}
    for kind, expected in known.items():
        costs = [each["cost"] for each in found if each["service"] == kind]
        assert costs == pytest.approx([expected()] * 8)
    costs = priced.get("/api/monitoring/costs/").json()
    assert costs["total"]["cost"] == pytest.approx(sum(each["cost"] for each in found))


def seen_fully() -> float:
    return cost_of(Tokens(1000, 500, cached=300, cache_write=100, reasoning=200))


def test_what_failed_over_or_broke_is_counted_as_far_as_it_came(priced: LiveOxide, provider: FakeProvider) -> None:
    def ask(**body: Any) -> requests.Response:
        asked = {"messages": ASKED, "model": "openai", **body}
        return requests.post(f"{priced.url}/v1/chat/completions", json=asked, timeout=30)

    provider.misbehave("status", service="openai", status=500)
    assert ask(model="auto").headers["x-oxide-service"] == "ollama"  # a refusal costs nothing
    provider.misbehave("truncate", service="openai")
    assert "error" in ask(stream=True).text
    provider.misbehave("stall", service="openai")
    with requests.post(
        f"{priced.url}/v1/chat/completions",
        json={"messages": ASKED, "model": "openai", "stream": True},
        stream=True,
        timeout=30,
    ) as left:
        next(line for line in left.iter_lines(chunk_size=1) if b"Quantum" in line)
    provider.behave("openai")
    assert requests.post(f"{priced.url}/v1/embeddings", json={"model": "openai/alpha", "input": "x"}, timeout=30).ok
    wait_until(lambda: nothing_is_open(priced))
    found = {(each["service"], each["status"], each["cost_basis"]): each for each in attempts(priced)}
    assert set(found) == {
        ("openai", "failed", ""),
        ("ollama", "completed", "computed"),
        ("openai", "failed", "estimated"),
        ("openai", "cancelled", "estimated"),
        ("openai", "completed", "computed"),
    }
    assert found["openai", "failed", ""]["usage"]["total_tokens"] == 0
    for status in ("failed", "cancelled"):
        cut = found["openai", status, "estimated"]
        assert cut["usage"]["prompt_tokens"] == 7
        assert cut["usage"]["completion_tokens"] > 0
        assert cut["cost"] > 0
    assert found["openai", "completed", "computed"]["usage"] == {
        **found["openai", "completed", "computed"]["usage"],
        "prompt_tokens": 3,
        "completion_tokens": 0,
    }


def test_a_call_that_was_cut_before_its_answer_costs_its_prompt(priced: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("hang", service="openai")
    body = {"prompt": "What is quantum computing?", "service": "openai", "timeout_seconds": 0.5}
    failed = priced.post("/api/tasks/execute/", json=body)
    assert failed.status_code == 504
    (attempt,) = failed.json()["attempts"]
    assert (attempt["cost_basis"], attempt["usage"]["prompt_tokens"]) == ("estimated", 7)
    assert attempt["cost"] == 0.000007
