"""The dashboard in a real browser, and what holds for each of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser import open_browser
from tests.live import LiveOxide

# Everything that a hand can work, and that is to be seen.
CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex='0']"
MARK_CONTROLS = """(controls) => [...document.querySelectorAll(controls)]
    .filter((each) => each.checkVisibility() && !each.disabled && each.type !== 'hidden')
    .forEach((each, number) => { each.dataset.number = number; })"""
NAMELESS = """[...document.querySelectorAll('[data-number]')]
    .filter((each) => !(each.textContent.trim() || each.labels?.length || each.ariaLabel))
    .map((each) => each.outerHTML)"""
LOADED_BYTES = """
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .filter((entry) => !entry.name.includes('/api/')).reduce((sum, entry) => sum + entry.decodedBodySize, 0)
"""


@contextmanager
def browse(oxide: LiveOxide, *, quiet: bool = True, **options: Any) -> Iterator[Page]:
    """A page; at its end nothing may have been said on the console where it was to be quiet."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    with open_browser(oxide.url, **options) as page:
        page.on("console", note)
        yield page
    policy = [text for text in complaints if "Content Security Policy" in text]
    assert policy == [], "the pages' own policy was broken"
    if quiet:
        assert complaints == []


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def assert_small(page: Page, path: str, sign: str) -> None:
    """`sign` is a text that the page shows once it has its data. `make bench` measures the first paint."""
    page.goto(path)
    expect(page.get_by_text(sign, exact=True).first).to_be_visible()
    assert page.evaluate(LOADED_BYTES) < 150_000, path


def assert_nothing_is_cut_off(page: Page) -> None:
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


def assert_the_keyboard_reaches_everything(page: Page) -> None:
    """And everything that it reaches has a name, and is seen to be reached."""
    page.evaluate(MARK_CONTROLS, CONTROLS)
    wanted = set(page.evaluate("[...document.querySelectorAll('[data-number]')].map((each) => each.dataset.number)"))
    assert wanted
    nameless = page.evaluate(NAMELESS)
    assert nameless == []
    reached: set[str] = set()
    for _ in range(3 * len(wanted) + 10):  # a date has three places to stop at
        page.keyboard.press("Tab")
        at = page.evaluate(
            "[document.activeElement?.dataset.number, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if at[0]:
            reached.add(at[0])
            assert at[1] != "none", page.evaluate("document.activeElement.outerHTML")
    assert reached == wanted
