"""Ten thousand calls of all kinds, and the books of five providers: Oxide's match them exactly."""

from __future__ import annotations

import http.client
import itertools
import json
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fake_dialects import Tokens
from tests.ledger import NAMES, PRICES, Charge, LedgerProvider, Plan, plans
from tests.live import LiveOxide
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("ledger")]

CALLS = 10_000
CLIENTS = 12
# One type of task for each pair of a provider and the one that takes over from it.
TYPES = dict(
    zip(NAMES, ("question_answer", "summarization", "translation", "analysis", "creative_writing"), strict=True)
)
_ATTEMPTS = """
    SELECT task.prompt, attempt.service, attempt.prompt_tokens, attempt.completion_tokens, attempt.cached_tokens,
           attempt.cache_write_tokens, attempt.reasoning_tokens, attempt.cost_nanodollars, attempt.cost_basis
    FROM tasks_attempt AS attempt JOIN tasks_task AS task ON task.id = attempt.task_id
    WHERE attempt.cost_basis != ''
"""


@dataclass(frozen=True)
class Books:
    """What all providers charged, and the Oxide that kept its own count."""

    planned: list[Plan]
    charges: list[Charge]
    oxide: LiveOxide


@pytest.fixture
def books(live: LiveOxide) -> Iterator[Books]:
    planned = plans(CALLS)
    with ExitStack() as stack:
        by_number = {plan.number: plan for plan in planned}
        providers = {name: stack.enter_context(LedgerProvider(name, by_number)) for name in NAMES}
        _declare(live, providers)
        _make_calls(live.start(), planned)
        yield Books(planned, [charge for each in providers.values() for charge in each.charges], live)


def _declare(live: LiveOxide, providers: Mapping[str, LedgerProvider]) -> None:
    live.environment["OXIDE_LOG_LEVEL"] = "WARNING"  # tens of thousands of lines would take longer than the calls
    for name, provider in providers.items():
        price = PRICES[name].declared
        fields = {"api": provider.api, "price": price, "max_retries": 0, "max_concurrency": 64}
        live.declare(name, provider.base_url, default=False, **fields)
    following = zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True)
    live.config["routing"]["rules"] = [
        {"id": f"{first}-{place}", "task_type": TYPES[first], "service": service, "priority": place}
        for first, second in following
        for place, service in enumerate((first, second), start=1)
    ]


def _make_calls(oxide: LiveOxide, planned: list[Plan]) -> None:
    callers = threading.local()

    def call(plan: Plan) -> None:
        if not hasattr(callers, "connection"):
            callers.connection = http.client.HTTPConnection(oxide.url.removeprefix("http://"), timeout=60)
        path, body = _request(plan)
        if plan.mode == "cancelled":
            _hang_up(oxide, path, body)
        else:
            _ask(callers.connection, path, body, plan)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for _done in pool.map(call, planned):
            pass
    wait_until(lambda: oxide.get("/api/monitoring/metrics/").json()["tasks"]["running"] == 0, seconds=60)


def _request(plan: Plan) -> tuple[str, dict[str, Any]]:
    """The same call in one of three dialects."""
    is_stream = plan.mode in ("stream", "cancelled") or plan.number // 60 % 2 == 1
    if plan.mode == "failover":
        return "/api/tasks/execute/", {"prompt": plan.prompt, "task_type": TYPES[plan.service], "stream": is_stream}
    chat = {"messages": [{"role": "user", "content": plan.prompt}], "stream": is_stream}
    match plan.number // 7 % 3:
        case 0:
            return "/v1/chat/completions", {"model": f"{plan.service}/alpha", **chat}
        case 1:
            return "/v1/messages", {"model": f"{plan.service}/alpha", "max_tokens": 1000, **chat}
        case _:
            return "/api/tasks/execute/", {"prompt": plan.prompt, "service": plan.service, "stream": is_stream}


def _ask(connection: http.client.HTTPConnection, path: str, body: Mapping[str, Any], plan: Plan) -> None:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if plan.mode != "broken":
        assert response.status == 200, (plan, content)
        assert b"w4" in content, (plan, content)
    else:
        assert response.status >= 500 or b"error" in content, (plan, content)


def _hang_up(oxide: LiveOxide, path: str, body: Mapping[str, Any]) -> None:
    with closing(http.client.HTTPConnection(oxide.url.removeprefix("http://"), timeout=60)) as connection:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200
        seen = b""
        while b"w2" not in seen:
            piece = response.read1()
            assert piece, seen
            seen += piece


def test_ten_thousand_calls_match_the_books_of_five_providers(books: Books) -> None:
    assert Counter(plan.mode for plan in books.planned).keys() == {"plain", "stream", "cancelled", "failover", "broken"}
    assert len({charge.number for charge in books.charges}) == CALLS

    with closing(sqlite3.connect(books.oxide.folder / "var" / "oxide.sqlite3")) as database:
        kept = sorted(database.execute(_ATTEMPTS))

    prompts = [plan.prompt for plan in books.planned]
    assert kept == sorted(_row(prompts[charge.number], charge) for charge in books.charges)
    _check_history(books)
    _check_rollups(books)


def _row(prompt: str, charge: Charge) -> tuple[object, ...]:
    spent: Tokens = charge.tokens
    tokens = (spent.prompt, spent.completion, spent.cached, spent.cache_write, spent.reasoning)
    return (prompt, charge.service, *tokens, charge.nanodollars, charge.basis)


def _check_history(books: Books) -> None:
    """The export has each call once, with the sums over all providers that were asked for it."""
    shown = books.oxide.get("/api/tasks/export/", params={"as": "json"}).json()["tasks"]
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for charge in books.charges:
        sums = expected[books.planned[charge.number].prompt]
        sums[0] += charge.tokens.prompt
        sums[1] += charge.tokens.completion
        sums[2] += charge.nanodollars
    found = {
        task["prompt"]: [task["prompt_tokens"], task["completion_tokens"], round(task["cost"] * 10**9)]
        for task in shown
    }
    assert len(shown) == CALLS
    assert found == expected


def _check_rollups(books: Books) -> None:
    """The costs page has the sums of each provider and basis."""
    groups = books.oxide.get("/api/monitoring/costs/", params={"group_by": "service"}).json()["groups"]
    found = {
        (group["key"], basis): (part["requests"], part["tokens"], round(part["cost"] * 10**9))
        for group in groups
        for basis, part in group["by_basis"].items()
        if part["requests"]
    }
    ordered = sorted(books.charges, key=lambda charge: (charge.service, charge.basis))
    expected = {}
    for key, group in itertools.groupby(ordered, key=lambda charge: (charge.service, charge.basis)):
        charges = list(group)
        tokens = sum(charge.tokens.prompt + charge.tokens.completion for charge in charges)
        expected[key] = (len(charges), tokens, sum(charge.nanodollars for charge in charges))
    assert found == expected
