from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from monitoring.estimates import estimate_of
from monitoring.events import describe
from services import directory
from services.config import ServiceConfig
from services.prices import PriceOverride
from tasks.models import Status, Task


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> None:
    price = PriceOverride(Decimal(4), Decimal(8))
    found = {"priced": ServiceConfig("priced", "http", price=price), "other": ServiceConfig("other", "http")}
    monkeypatch.setattr(directory, "current", lambda: found)


def task(service: str, **fields: Any) -> Task:
    decision = {"candidates": [{"service": service, "model": "m"}]}
    return Task(**{"status": Status.RUNNING, "decision": decision, "prompt": "x" * 4_000, **fields})


def test_a_running_task_has_the_price_of_who_is_asked_first() -> None:
    assert estimate_of(task("priced")) == {"prompt_cost": 0.004, "token_cost": 0.000008}


def test_all_of_a_conversation_is_read() -> None:
    said = [{"role": "user", "content": [{"type": "text", "text": "y" * 8_000}, {"type": "image", "url": "…"}]}]
    assert estimate_of(task("priced", messages=said)) == {"prompt_cost": 0.008, "token_cost": 0.000008}


@pytest.mark.parametrize("service", ["other", "gone"])
def test_without_a_price_there_is_none(service: str) -> None:
    assert estimate_of(task(service)) is None
    assert "estimate" not in describe(task(service))


def test_a_row_without_its_prompt_is_not_read_again_for_it() -> None:
    brief = Task.from_db("default", ["id", "status", "decision"], [None, "running", task("priced").decision])
    assert estimate_of(brief) is None


def test_it_is_told_as_long_as_the_cost_is_not_known() -> None:
    assert describe(task("priced"))["estimate"]["token_cost"] == 0.000008
    assert "estimate" not in describe(task("priced", status=Status.COMPLETED))
