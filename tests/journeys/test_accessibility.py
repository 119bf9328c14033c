"""Nobody is shut out of the dashboard or the admin pages, as far as axe-core can tell."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests import canary
from tests.axe import barriers, barriers_at_any_width
from tests.browser import open_browser
from tests.dashboard_pages import dashboard_pages
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.people import bearer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dashboard"), pytest.mark.timeout(400)]


@pytest.fixture
def oxide(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    live.declare("first", provider.base_url("openai", service="first"), api="openai", max_retries=0, price=PRICE)
    live.declare("second", provider.base_url("anthropic", service="second"), api="anthropic", max_retries=0)
    address = provider.base_url("openai", service="keyed")
    live.declare("keyed", address, api="openai", api_key_env="AXE_KEY", default=False)
    live.declare("keyless", address, api="openai", api_key_env="NO_SUCH_KEY", default=False)
    live.environment["AXE_KEY"] = canary.provider_key("axe")
    live.config["routing"]["rules"] = [{"id": "rule-1", "task_type": "chat", "service": "first", "priority": 1}]
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    return live.start()


PRICE = {"input_per_million": 3, "output_per_million": 15}


def log_in(page: Page, oxide: LiveOxide) -> None:
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(oxide.admin_password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def administrator(oxide: LiveOxide) -> dict[str, str]:
    login = oxide.post("/auth/login", json={"username": "admin", "password": oxide.admin_password}).json()
    return bearer(login["access_token"])


def tasks_of_all_kinds(oxide: LiveOxide, provider: FakeProvider) -> str:
    """One that went well, one that failed and one that goes on. Returns the id of the failed one."""
    headers = administrator(oxide)

    def execute(**body: object) -> dict[str, str]:
        asked = {"prompt": "What is quantum computing?", **body}
        answer: dict[str, str] = oxide.post("/api/tasks/execute/", json=asked, headers=headers).json()
        return answer

    execute(service="first")
    provider.misbehave("status", service="second", status=500)
    failed = execute(service="second")["task_id"]
    provider.misbehave("hang", service="first")
    execute(service="first", background=True)
    return failed


def test_no_page_of_the_dashboard_has_a_barrier(oxide: LiveOxide, provider: FakeProvider) -> None:
    paths = dashboard_pages({"task_id": tasks_of_all_kinds(oxide, provider)})
    assert {"now", "try", "history", "history-task", "log-in"} <= set(paths)
    found = {}
    with open_browser(oxide.url) as page:
        page.goto(paths.pop("log-in"))
        found["log-in"] = barriers(page)
        log_in(page, oxide)
        for name, path in paths.items():
            page.goto(path)
            page.wait_for_timeout(1000)  # until it has asked for what it shows
            found[name] = barriers_at_any_width(page)
        provider.behave()
        provider.misbehave("status", service="second", status=500)
        compare(page)
        found["try, side by side"] = barriers_at_any_width(page)
        explain(page)
        found["routing, explained"] = barriers_at_any_width(page)
        try_a_key(page)
        found["keys, tested"] = barriers_at_any_width(page)
        have_nobody_to_ask(page, oxide)
        found["now, on the first day"] = barriers_at_any_width(page)
        page.evaluate("document.querySelector('h1').style.color = '#ccc'")
        [told] = barriers(page)
        assert told.startswith("light: color-contrast: <h1"), "a barrier would be seen"
        page.reload()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        oxide.kill()
        expect(page.get_by_text("Disconnected")).to_be_visible()
        found["now, disconnected"] = barriers_at_any_width(page)
    assert {name: told for name, told in found.items() if told} == {}


def compare(page: Page) -> None:
    page.goto("/try?beside=echo&beside=second")
    page.locator("html[data-ready=true]").wait_for(state="attached")
    page.get_by_label("Prompt").fill("Hello there")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#columns .facts")).to_have_count(2)


def explain(page: Page) -> None:
    page.goto("/routing")
    page.get_by_label("Prompt").fill("Good morning")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#told")).to_be_visible()


def try_a_key(page: Page) -> None:
    page.goto("/keys")
    page.get_by_role("button", name="Test the key of keyed").click()
    expect(page.get_by_text("API key is valid")).to_be_visible()


def have_nobody_to_ask(page: Page, oxide: LiveOxide) -> None:
    headers = administrator(oxide)
    for name in ("first", "second", "keyed"):
        oxide.post(f"/api/services/{name}/disable/", headers=headers).raise_for_status()
    page.goto("/")
    expect(page.locator("#help")).to_be_visible()


def test_no_main_page_of_the_admin_has_a_barrier(oxide: LiveOxide, provider: FakeProvider) -> None:
    tasks_of_all_kinds(oxide, provider)
    found = {}
    with open_browser(oxide.url) as page:
        page.goto("/admin/login/")
        found["/admin/login/"] = barriers(page)
        log_in(page, oxide)
        for path in ["/admin/", *admin_pages(page)]:
            page.goto(path)
            found[path] = barriers_at_any_width(page)
    assert {path: told for path, told in found.items() if told} == {}


def admin_pages(page: Page) -> list[str]:
    """The lists that the first page leads to, and the forms to add to them."""
    page.goto("/admin/")
    links: list[str] = page.locator("#content-main a").evaluate_all("all => all.map((each) => each.pathname)")
    assert any(path.endswith("/add/") for path in links)
    return list(dict.fromkeys(links))
