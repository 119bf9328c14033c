"""People see which keys there are and test them, in a real browser. No page ever holds a key."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import canary
from tests.dashboard import browse, log_in
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.people import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dashboard")]

VARIABLE = "KEYS_PAGE_KEY"
KEY = canary.provider_key("page")


@pytest.fixture
def oxide(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    for name in ("mine", "keyless", "filed", "local"):
        live.declare(name, provider.base_url("openai", service=name), api="openai")
    services = live.config["services"]
    services["mine"]["api_key_env"] = VARIABLE
    services["keyless"]["api_key_env"] = "NO_SUCH_KEY"
    services["filed"]["api_key"] = canary.provider_key("file", end="-abc")
    live.environment[VARIABLE] = KEY
    return live


def row(page: Page, name: str) -> Locator:
    return page.locator("#keys").get_by_role("row", name=re.compile(f"^{name}"))


def test_keys_are_shown_with_their_origin_and_tested(oxide: LiveOxide, provider: FakeProvider) -> None:
    oxide.start()
    with browse(oxide) as page:
        page.goto("/keys")
        expect(page.locator("#found")).to_have_text("2 of 3 keys there")
        expect(page.locator("#keyless")).to_contain_text("echo, local")
        expect(row(page, "keyless")).to_contain_text("no key")
        expect(row(page, "keyless").get_by_role("button", name="Test")).to_be_hidden()
        expect(row(page, "keyless").get_by_role("link")).to_have_attribute("href", re.compile("/add/.service=keyless$"))
        expect(row(page, "filed")).to_contain_text("configuration file")
        expect(row(page, "filed")).to_contain_text("sk-o...abc")
        mine = row(page, "mine")
        expect(mine).to_contain_text("environment")
        expect(mine.get_by_role("link")).to_have_count(0)

        test = mine.get_by_role("button", name="Test the key of mine")
        test.click()
        expect(mine.get_by_role("status")).to_have_text("API key is valid. 2 models available.")
        expect(mine).to_contain_text("sk-o...xyz")
        expect(mine.locator(".state")).to_have_text("valid")
        provider.misbehave("refuse", why="auth", service="mine")
        test.click()
        expect(mine.locator(".state")).to_have_text("refused")
        expect(mine.get_by_role("status")).to_contain_text("mine does not take this API key")
        provider.misbehave("status", status=500, service="mine")
        test.click()
        expect(mine.get_by_role("status")).to_contain_text("The API key could not be tested")
        expect(test).to_be_focused()
        assert canary.MARK not in page.content()


def test_who_may_not_change_is_offered_nothing_to_change(oxide: LiveOxide) -> None:
    oxide.config["routing"]["rules"] = [{"id": "mine-first", "task_type": "chat", "service": "mine", "priority": 1}]
    oxide.environment["OXIDE_AUTH_ENABLED"] = "true"
    oxide.start()
    make = f"from django.contrib.auth.models import User; User.objects.create_user('ada', password={PASSWORD!r})"
    oxide.run("shell", "-c", make)
    with browse(oxide, quiet=False) as page:  # the admin pages have no icon, and Chromium says so
        page.goto("/keys")
        log_in(page, "ada", PASSWORD)
        admin_links = page.locator("a[href^='/admin']")
        expect(row(page, "mine")).to_contain_text("sk-o...xyz")
        expect(page.get_by_text("needs the scope admin, which ada does not have")).to_be_visible()
        expect(page.locator("main").get_by_role("button")).to_have_count(0)
        expect(page.locator("main").get_by_role("link")).to_have_count(0)
        expect(admin_links).to_have_count(0)
        page.goto("/routing")
        expect(page.get_by_role("region", name="Chat")).to_contain_text("mine-first")
        expect(page.locator("main").get_by_role("link")).to_have_count(0)
        for path in ("/", "/try", "/history", "/costs", "/routing"):
            page.goto(path)
            expect(page.get_by_role("link", name="API docs")).to_be_visible()
            expect(admin_links).to_have_count(0)
        page.get_by_role("button", name="Log out").click()

        page.goto("/login?next=/keys")
        log_in(page, "admin", oxide.admin_password)
        expect(page.get_by_role("link", name="Admin", exact=True)).to_be_visible()
        row(page, "mine").get_by_role("button", name="Test").click()
        expect(row(page, "mine").get_by_role("status")).to_have_text("API key is valid. 2 models available.")
        row(page, "filed").get_by_role("link", name="Change the key of filed").click()
        expect(page.get_by_label("Service")).to_have_value("filed")
        page.goto("/routing")
        page.get_by_role("link", name="mine-first").click()
        expect(page.get_by_label("Task type")).to_have_value("chat")
