"""Swagger and Redoc in a real browser: what they may not do must not be what they need."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import open_browser
from tests.live import LiveOxide

PICTURE_HOST = "cdn.redoc.ly"


@pytest.mark.xdist_group("reference pages")
def test_both_show_every_operation_within_what_they_may(live: LiveOxide) -> None:
    live.start()
    refused: list[str] = []
    # Redoc's script names a picture of its makers, which it may not have.
    with open_browser(live.url, hosts={PICTURE_HOST: "127.0.0.1:9"}) as page:
        page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
        page.goto("/docs")
        operation = page.locator(".opblock-summary-path", has_text="/execute").first
        expect(operation).to_be_visible()
        page.goto("/redoc")
        expect(page.get_by_text("/api/tasks/execute/").first).to_be_attached()
        page.get_by_placeholder("Search").fill("export")
        expect(page.locator("[data-role='search:results'] li").first).to_be_visible()
    assert refused
    assert all(PICTURE_HOST in text for text in refused)
