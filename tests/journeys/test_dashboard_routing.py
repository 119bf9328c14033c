"""People see who is asked for what, in which order, and why, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard import browse
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dashboard")]

RULES = [
    {"id": "keyless-first", "task_type": "chat", "service": "keyless", "priority": 1},
    {"id": "twice", "task_type": "chat", "service": "first", "priority": 2, "weight": 2},
    {"id": "once", "task_type": "chat", "service": "second", "priority": 2, "note": "<b>cheap</b>"},
    {"id": "off", "task_type": "chat", "service": "second", "model": "beta", "priority": 3, "enabled": False},
]


def open_routing(page: Page) -> None:
    page.goto("/routing")
    page.locator("html[data-ready=true]").wait_for(state="attached")


def steps(page: Page, lane: str) -> list[str]:
    """What the lane says, item by item, as a screen reader would."""
    texts = page.get_by_role("region", name=lane).get_by_role("listitem").all_inner_texts()
    return [" ".join(text.split()) for text in texts]


def test_lanes_show_who_is_asked_in_order_and_what_stands_in_the_way(live: LiveOxide, provider: FakeProvider) -> None:
    for name in ("keyless", "first", "second"):
        live.declare(name, provider.base_url("openai", service=name), api="openai")
    live.config["services"]["keyless"]["api_key_env"] = "NO_SUCH_KEY"
    live.declare("asleep", provider.base_url("openai", service="asleep"), api="openai", enabled=False)
    live.declare("poet", provider.base_url("ollama", service="poet"), api="ollama", capabilities=["creative_writing"])
    live.config["routing"]["rules"] = RULES
    live.start()
    wait_until(lambda: live.get("/api/services/").json()["healthy"] >= 3)
    with browse(live) as page:
        open_routing(page)
        keyless, drawn, off, rest = steps(page, "Chat")
        assert keyless.startswith("Priority 1 keyless alpha no key Set NO_SUCH_KEY")
        assert drawn == (
            "Priority 2, by chance "
            "first one of these is asked first alpha healthy Rule twice Weight 2 of 3: first in 66.7 % "
            "second one of these is asked first alpha healthy Rule once Weight 1 of 3: first in 33.3 % <b>cheap</b>"
        )
        assert off == "Priority 3 second beta rule switched off Rule off"
        assert rest == "Then the default order asleep switched off"
        default = steps(page, "Every other type of task")
        assert [text.split()[2] for text in default] == ["keyless", "first", "second", "asleep", "poet"]
        assert [place for place, text in enumerate(default, 1) if "asked first" in text] == [2]
        assert default[-1].endswith("Only for creative writing")

        live.post("/api/services/first/disable/").raise_for_status()
        page.get_by_role("button", name="Look again").click()
        expect(page.get_by_role("region", name="Every other").get_by_role("listitem").nth(2)).to_contain_text(
            "asked first"
        )
        assert "asked first alpha healthy Rule once Weight 1 <b>" in steps(page, "Chat")[1], "chance has no say left"

        add = page.get_by_role("link", name="Add a rule for chat")
        expect(add).to_have_attribute("href", "/admin/routing/routingrule/add/?task_type=chat")
        edit = page.get_by_role("link", name="twice")
        expect(edit).to_have_attribute("href", "/admin/routing/routingrule/twice/change/")


def test_a_typed_prompt_is_explained_and_asks_nobody(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("first", provider.base_url("openai", service="first"), api="openai", models=["alpha"])
    live.declare("asleep", provider.base_url("openai", service="asleep"), api="openai", enabled=False)
    live.config["routing"]["rules"] = [{"id": "words", "task_type": "translation", "service": "first", "priority": 7}]
    live.start()
    with browse(live) as page:
        open_routing(page)
        page.get_by_label("Prompt").fill("Translate this into German: good morning")
        page.get_by_role("button", name="Explain").click()
        told = page.get_by_role("region", name="Who would be asked for translation")
        expect(told.locator("ol li")).to_have_text(re.compile("^first · alpharule words: priority 7 for translation"))
        expect(told.locator("ul")).to_contain_text("asleep is disabled")
        told.get_by_role("link", name="Try it").click()
        expect(page.get_by_label("Prompt")).to_have_value("Translate this into German: good morning")
        page.go_back()
        page.locator("html[data-ready=true]").wait_for(state="attached")
        page.get_by_label("Prompt").fill("Hello")
        page.get_by_label("Model").fill("nothing-has-it")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("region", name="Who would be asked for")).to_contain_text("Nobody could be asked.")
    assert provider.calls_to("first") == 0


def test_a_last_resort_is_explained_without_saying_its_name_twice(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("gone", "http://127.0.0.1:9/v1", api="openai", model="alpha")
    live.declare("well", provider.base_url("openai", service="well"), api="openai")
    live.start()
    wait_until(lambda: live.get("/api/services/").json()["services"]["gone"]["state"] == "unhealthy")
    with browse(live) as page:
        open_routing(page)
        page.get_by_label("Prompt").fill("Hello")
        page.get_by_role("button", name="Explain").click()
        last = page.get_by_role("region", name="Who would be asked for").locator("ol li").last
        expect(last).to_have_text(
            re.compile(
                r"^gone · alphadefault order, place 1; last resort: is currently unhealthy: .+ running; cost unknown$"
            )
        )


def test_without_rules_and_order_it_says_what_to_do(live: LiveOxide) -> None:
    live.start()
    with browse(live) as page:
        open_routing(page)
        expect(page.get_by_text("There are no rules yet")).to_contain_text("Add a rule to have one type of task done")
        expect(page.get_by_role("region", name="Every task")).to_contain_text("Add services to it in the admin pages")
