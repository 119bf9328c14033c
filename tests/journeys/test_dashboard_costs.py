"""People see what was spent, and what nobody knows, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard import browse
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dashboard")]

PRICE = {"input_per_million": 500_000, "output_per_million": 500_000}
TEN_DAYS_AGO = """
import time
from monitoring.models import DAY, Rollup
Rollup.objects.create(
    period=int(time.time()) // 60 // DAY * DAY - 10 * DAY, service="first", model="alpha", task_type="chat",
    status="completed", cost_basis="reported", attempts=1, prompt_tokens=70, cost_nanodollars=9_000_000_000)
"""


def row(page: Page, table: str, name: str) -> Locator:
    return page.get_by_role("table", name=table).get_by_role("row", name=re.compile(f"^{name}"))


def test_costs_by_day_service_model_and_type_with_what_is_unknown(live: LiveOxide, provider: FakeProvider) -> None:
    provider.say(words=("one ", "two ", "three "))
    live.declare("first", provider.base_url("openai", service="first"), api="openai", price=PRICE)
    live.declare("second", provider.base_url("openai", service="second"), api="openai", model="beta")
    live.start()
    with browse(live) as page:
        page.goto("/costs")
        expect(page.get_by_text("No request used tokens in these 30 days")).to_be_visible()

        for service in ("first", "first", "second"):
            spent = live.execute(service=service, task_type="chat").json()
        tokens = spent["tokens_used"]
        live.run("shell", "-c", TEN_DAYS_AGO)
        page.reload()
        expect(page.locator("#cost")).to_have_text(f"${9 + tokens}.00")
        expect(page.locator("#cost-note")).to_have_text("without 1 request of unknown cost")
        expect(page.locator("#tokens")).to_have_text(str(70 + 3 * tokens))
        expect(page.locator("#unknown")).to_have_text("25.0 %")
        expect(page.locator("#unknown-note")).to_have_text("1 of 4 requests")
        expect(page.get_by_text("No price is known for some models of second")).to_contain_text("the admin pages")

        cells = row(page, "By service", "second").get_by_role("cell")
        expect(cells).to_have_text(["unknown", re.compile("^[^0-9]$"), "1", str(tokens)])
        expect(row(page, "By model", "alpha")).to_contain_text("1 reported, 2 computed")
        expect(row(page, "By task type", "Chat")).to_contain_text("and 1 unknown")
        basis = page.get_by_role("table", name="How sure the costs are")
        shares = basis.get_by_role("row").filter(has=page.get_by_role("cell")).all_inner_texts()
        assert [text.split()[0] for text in shares] == ["reported", "computed", "estimated", "unknown"]
        expect(row(page, "How sure", "unknown").get_by_role("cell")).to_have_text(
            ["25.0 %", "1", str(tokens), "unknown"]
        )

        expect(
            page.get_by_role("img", name=re.compile(r"^Cost by day, from .* at most \$\d+\.00, on "))
        ).to_be_visible()
        expect(page.locator(".marks .unknown")).to_have_count(1)
        page.get_by_text("The days as a table").click()
        expect(page.get_by_role("table", name="By day").get_by_role("row")).to_have_count(3)
        page.get_by_role("button", name="Tokens").click()
        expect(page.get_by_role("img", name=re.compile("^Tokens by day, .* at most"))).to_be_visible()

        page.get_by_role("button", name="7 days").click()
        expect(page.locator("#requests")).to_have_text("3")
        assert page.url.endswith("/costs?days=7")
        page.go_back()
        expect(page.locator("#requests")).to_have_text("4")
        expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")


def test_where_no_price_is_known_at_all_no_cost_is_named(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("only", provider.base_url("openai", service="only"), api="openai")
    live.start()
    live.execute(service="only")
    with browse(live) as page:
        page.goto("/costs?days=90")
        expect(page.locator("#cost")).to_have_text("unknown")
        expect(page.get_by_role("img", name=re.compile("^Tokens by day"))).to_be_visible()
        page.get_by_role("button", name="Cost", exact=True).click()
        expect(page.get_by_role("img", name=re.compile("^Cost by day: nothing is known"))).to_be_visible()
        expect(page.locator("main")).not_to_contain_text("$0")


def test_the_cost_is_drawn_of_a_range_that_has_one_after_a_range_that_has_none(
    live: LiveOxide, provider: FakeProvider
) -> None:
    live.declare("first", provider.base_url("openai", service="first"), api="openai")
    live.start()
    live.execute(service="first")
    live.run("shell", "-c", TEN_DAYS_AGO)
    with browse(live) as page:
        page.goto("/costs?days=7")
        expect(page.get_by_role("img", name=re.compile("^Tokens by day"))).to_be_visible()
        page.get_by_role("button", name="30 days").click()
        expect(page.get_by_role("img", name=re.compile(r"^Cost by day, .*at most \$9"))).to_be_visible()
        page.get_by_role("button", name="Tokens").click()
        page.get_by_role("button", name="90 days").click()
        expect(page.locator("#span")).not_to_be_empty()
        expect(page.get_by_role("img", name=re.compile("^Tokens by day"))).to_be_visible()
