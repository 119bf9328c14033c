"""POST /api/routing/explain/"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from routing.models import RoutingRule
from services.models import Service
from tasks.models import Task
from tests.fake_provider import FakeProvider

MakeService = Callable[..., Service]


def explain(client: APIClient, **body: Any) -> Any:
    return client.post("/api/routing/explain/", {"prompt": "Translate this into French.", **body}, format="json").json()


def test_it_tells_who_would_be_asked_and_why_the_others_would_not(
    client: APIClient, service: MakeService, provider: FakeProvider, default_order: Callable[..., None]
) -> None:
    chosen = service("chosen", input_price=Decimal(2), output_price=Decimal(10))
    default_order(service("usual"), service("off", enabled=False))
    RoutingRule.objects.create(id="rule-1", task_type="translation", service=chosen, model="beta")
    told = explain(client, max_tokens=100)
    assert told["task_type"] == "translation"
    assert 0 < told["confidence"] <= 1
    assert [(c["place"], c["service"], c["model"], c["rule"]) for c in told["candidates"]] == [
        (1, "chosen", "beta", "rule-1"),
        (2, "usual", "alpha", None),
    ]
    assert {"service": "off", "reason": "is disabled"} in told["skipped"]
    expected = (told["estimate"]["prompt_tokens"] * 2 + 100 * 10) / 1_000_000
    assert told["candidates"][0]["estimated_cost"] == pytest.approx(expected)
    assert (told["candidates"][1]["estimated_cost"], told["candidates"][1]["cost_basis"]) == (None, "unknown")


def test_nobody_is_called_and_nothing_is_recorded(
    client: APIClient, service: MakeService, provider: FakeProvider
) -> None:
    service("mine")
    explain(client, service="mine")
    assert not provider.requests
    assert not Task.objects.exists()


def test_a_named_type_needs_no_confidence(client: APIClient, transactional_db: None) -> None:
    told = explain(client, task_type="chat")
    assert (told["task_type"], told["confidence"], told["candidates"]) == ("chat", None, [])


def test_a_body_with_a_mistake_is_refused(client: APIClient, transactional_db: None) -> None:
    answer = client.post("/api/routing/explain/", {"prompt": ""}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
