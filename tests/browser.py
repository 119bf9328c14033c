"""A real browser for journeys through Oxide's pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

from tests.programs import program


@contextmanager
def open_browser(url: str, *, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A page in a fresh headless Chromium; addresses are relative to `url`.

    At the end, the test fails where a page has asked any other host for anything, or where one of
    its scripts has failed.
    """
    path = program("chromium")
    strangers: list[str] = []
    errors: list[str] = []

    def notice(address: str) -> None:
        if address.startswith(("http:", "https:", "ws:", "wss:")) and urlsplit(address).netloc != urlsplit(url).netloc:
            strangers.append(address)

    with sync_playwright() as playwright:
        # A container has neither the rights for Chromium's sandbox nor much shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page(base_url=url, viewport={"width": width, "height": height})
        page.on("request", lambda request: notice(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert strangers == [], "pages asked other hosts"
    assert errors == [], "scripts failed"
