"""An administrator edits routing in the admin pages, and the next task follows; others are told where they may go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from tests import canary
from tests.browser import open_browser
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.people import PASSWORD
from tests.waiting import wait_until


def test_a_rule_made_in_admin_holds_for_the_next_task_and_no_longer_once_switched_off(
    live: LiveOxide, provider: FakeProvider
) -> None:
    live.declare("first", provider.base_url("openai", service="first"), api="openai")
    live.declare("second", provider.base_url("anthropic", service="second"), api="anthropic", model="beta")
    live.start()
    assert translate(live)["service_used"] == "first"

    with open_browser(live.url) as page:
        log_in(page, live)

        page.get_by_role("link", name="Routing rules", exact=True).first.click()
        page.get_by_role("link", name="Add routing rule").click()
        page.get_by_label("Task type").select_option(label="Translation")
        page.get_by_label("Service").select_option(label="second")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was added successfully")).to_be_visible()
        answer = translate(live)
        assert (answer["service_used"], answer["model_used"]) == ("second", "beta")

        page.get_by_role("row", name="second").get_by_role("checkbox").last.uncheck()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was changed successfully")).to_be_visible()
        assert translate(live)["service_used"] == "first"

        page.goto(f"/admin/tasks/task/{answer['task_id']}/change/")
        expect(page.locator(".field-result")).to_contain_text(answer["result"])
        attempt = page.locator("#attempts-group tr.has_original")
        expect(attempt).to_have_count(1)
        expect(attempt).to_contain_text("second")
        expect(attempt).to_contain_text("Completed")
        expect(page.get_by_role("button", name=re.compile("add|save|delete", re.IGNORECASE))).to_have_count(0)
        expect(page.get_by_role("link", name=re.compile("add|delete", re.IGNORECASE))).to_have_count(0)


def test_services_are_switched_checked_and_corrected_in_admin(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("first", provider.base_url("openai", service="first"), api="openai")
    live.declare("second", "http://127.0.0.1:9/v1", api="openai", api_key_env="SECOND_KEY", max_retries=0)
    live.environment["SECOND_KEY"] = "sk-0123456789-in-full"
    live.environment["OTHER_KEY"] = "sk-another-9876543210"
    live.start()

    with open_browser(live.url) as page:
        log_in(page, live)
        page.get_by_role("link", name="Services", exact=True).first.click()
        page.get_by_role("row", name="first").get_by_role("checkbox").last.uncheck()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("row", name="first")).to_contain_text("switched off")
        assert live.execute().status_code in (502, 503)  # asked in vain, or known to be ill

        page.get_by_role("row", name="second").get_by_role("checkbox").first.check()
        page.locator("select[name=action]").select_option(label="Check now whether they answer")
        page.get_by_role("button", name="Go").click()
        expect(page.get_by_text("Service second is unhealthy")).to_be_visible()
        expect(page.get_by_role("row", name="second")).to_contain_text("there: sk-0...ull")

        page.get_by_role("link", name="second", exact=True).click()
        page.get_by_label("Base URL").fill("localhost:1234")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Must start with http:// or https:// and name a host.")).to_be_visible()
        page.get_by_label("Base URL").fill(provider.base_url("openai", service="second"))
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("SECOND_KEY holds a key for http://127.0.0.1:9")).to_be_visible()
        page.get_by_label("Key variable").fill("OTHER_KEY")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was changed successfully")).to_be_visible()
        assert "sk-0123456789-in-full" not in page.content()
        assert live.execute().json()["service_used"] == "second"


def test_the_front_page_leads_from_a_missing_key_to_a_service_that_can_be_asked(
    live: LiveOxide, provider: FakeProvider
) -> None:
    secret = canary.provider_key("first")
    live.declare("first", provider.base_url("openai", service="first"), api="openai", api_key_env="FIRST_KEY")
    live.start()

    with open_browser(live.url) as page, content_security_policy_kept(page):
        log_in(page, live)
        expect(page.get_by_role("heading", name="No model can be asked yet")).to_be_visible()
        lists = page.get_by_role("navigation", name="Lists").get_by_role("link")
        assert len(set(lists.evaluate_all("all => all.map((each) => each.offsetTop)"))) == 1, "in one line"
        page.get_by_role("link", name="Enter its key").first.click()
        expect(page.get_by_label("Service:")).to_have_value("first")
        page.get_by_label("API key").fill(secret)
        page.get_by_role("button", name="Save and ask the provider").click()
        expect(page.get_by_text("First: API key is valid. 2 models available.")).to_be_visible()
        assert canary.MARK not in page.content()
        assert live.execute().json()["service_used"] == "first"

        page.goto("/admin/")
        expect(page.get_by_role("heading", name="1 of 1 services can be asked")).to_be_visible()
        expect(page.get_by_text("Nothing needs doing.")).to_be_visible()
        assert canary.MARK not in page.content()

        page.locator(".model-service").get_by_role("link", name="Add").click()
        page.get_by_label("Name").fill("second")
        page.get_by_label("API:").select_option(label="Anthropic Messages")
        page.get_by_label("Base URL").fill(provider.base_url("anthropic", service="second"))
        page.get_by_label("Model:").fill("beta")
        page.get_by_role("button", name="Save and ask the provider").click()
        expect(page.get_by_text("Service second is healthy: it answered in")).to_be_visible()
        assert live.execute(service="second").json()["service_used"] == "second"

        page.goto("/admin/")
        page.get_by_role("button", name="Check all now").click()
        expect(page.get_by_text("Service first is healthy: it answered in")).to_be_visible()
        expect(page.get_by_text("Service second is healthy: it answered in")).to_be_visible()

        page.set_viewport_size({"width": 375, "height": 800})
        for place in PLACES:
            page.goto(f"/admin/{place}")
            width, seen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert width <= seen, place


def test_a_running_task_is_cancelled_from_the_list(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("first", provider.base_url("openai", service="first"), api="openai", max_retries=0)
    live.start()
    provider.pace(5, service="first")
    task_id = live.execute(background=True).json()["task_id"]

    with open_browser(live.url) as page, content_security_policy_kept(page):
        log_in(page, live)
        page.locator("#front").get_by_role("link", name="Running").click()
        page.locator("#result_list tbody").get_by_role("checkbox").check()
        page.locator("select[name=action]").select_option(label="Cancel")
        page.get_by_role("button", name="Go").click()
        expect(page.get_by_text(f"Task {task_id} was told to end.")).to_be_visible()
        wait_until(lambda: live.get(f"/api/tasks/{task_id}/").json()["status"] == "cancelled")
        page.goto("/admin/tasks/task/?status__exact=cancelled")
        expect(page.locator("#result_list")).to_contain_text("Cancelled")


def test_who_is_no_administrator_is_told_where_else_to_go(live: LiveOxide) -> None:
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    live.start()

    with open_browser(live.url) as page, content_security_policy_kept(page):
        log_in(page, live)
        page.get_by_role("row", name="Users").get_by_role("link", name="Add").click()
        page.get_by_label("Username").fill("vic")
        page.get_by_label("operator: also has tasks done").check()
        page.locator("#id_password1").fill(PASSWORD)
        page.locator("#id_password2").fill(PASSWORD)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was added successfully")).to_be_visible()
        page.get_by_role("button", name="Log out").click()

        page.goto("/admin/")
        page.get_by_label("Username").fill("vic")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("Other roles log in at /login")).to_be_visible()
        page.goto("/login")
        page.get_by_label("Username").fill("vic")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("link", name="History", exact=True)).to_be_visible()
        page.goto("/admin/")
        expect(page.get_by_text("not authorized to access this page")).to_be_visible()


PLACES = [
    "",
    "services/service/",
    "services/service/add/",
    "routing/routingrule/",
    "routing/routingrule/add/",
    "routing/defaultroute/",
    "tasks/task/",
    "tasks/runner/",
    "apikeys/providerkey/",
    "apikeys/clientkey/",
    "apikeys/clientkey/add/",
    "auth/user/",
    "auth/user/add/",
]


@contextmanager
def content_security_policy_kept(page: Page) -> Iterator[None]:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    yield
    assert [text for text in complaints if "Content Security Policy" in text] == []


def log_in(page: Page, live: LiveOxide) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(live.admin_password)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#user-tools")).to_be_visible()


def translate(live: LiveOxide) -> dict[str, str]:
    answer = live.execute(prompt="Guten Morgen", task_type="translation")
    assert answer.status_code == 200, answer.text
    body: dict[str, str] = answer.json()
    return body
