"""First contentful paint of the dashboard's pages, for a visitor with an empty cache."""

from __future__ import annotations

import shutil
import statistics
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

from benchmarks.targets import Target

PAGES = ("/", "/try", "/history", "/routing", "/costs", "/keys")
_VISITS = 3
# https://developer.mozilla.org/en-US/docs/Web/API/PerformancePaintTiming
_FIRST_PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
    const entry = list.getEntriesByName('first-contentful-paint')[0];
    if (entry) resolve(entry.startTime);
}).observe({ type: 'paint', buffered: true }))"""


def first_paints(target: Target) -> dict[str, float]:
    """Milliseconds from the navigation to the first contentful paint, the median of three visits to each page.

    Empty where Chromium is not installed.
    """
    browser_path = shutil.which("chromium")
    if browser_path is None:
        return {}
    parts = urlsplit(target.address)
    origin = f"{parts.scheme}://{parts.netloc}"
    measured: dict[str, float] = {}
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=browser_path, args=arguments)
        for path in PAGES:
            times: list[float] = []
            for _ in range(_VISITS):
                with browser.new_context(base_url=origin) as context:
                    page = context.new_page()
                    page.goto(path)
                    times.append(page.evaluate(_FIRST_PAINT))
            measured[f"first paint of {path}"] = statistics.median(times)
        browser.close()
    return measured
