"""A real browser for journeys through Oxide's pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect, sync_playwright

from tests.programs import program

# A busy machine takes longer than the five seconds that are the default.
expect.set_options(timeout=60_000)


@contextmanager
def open_browser(
    url: str, *, width: int = 1280, height: int = 900, hosts: Mapping[str, str] | None = None
) -> Iterator[Page]:
    """A page in a fresh headless Chromium; addresses are relative to `url`.

    `hosts` are other hosts that it may ask, each with the address where it is really to be found. At the end, the test
    fails where a page has asked any other host for anything, or where one of its scripts has failed.
    """
    hosts = hosts or {}
    path = program("chromium")
    strangers: list[str] = []
    errors: list[str] = []

    def notice(address: str) -> None:
        known = {urlsplit(url).netloc, *hosts}
        if address.startswith(("http:", "https:", "ws:", "wss:")) and urlsplit(address).netloc not in known:
            strangers.append(address)

    with sync_playwright() as playwright:
        # A container has neither the rights for Chromium's sandbox nor much shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
        if hosts:
            mapped = ",".join(f"MAP {_with_port(host)} {place}" for host, place in hosts.items())
            arguments.append(f"--host-resolver-rules={mapped}")
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page(base_url=url, viewport={"width": width, "height": height})
        page.on("request", lambda request: notice(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert strangers == [], f"pages asked other hosts: {strangers}"
    assert errors == [], f"scripts failed: {errors}"


def _with_port(host: str) -> str:
    return host if ":" in host else f"{host}:80"
