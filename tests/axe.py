"""axe-core looks at a page of a browser for what shuts people out. https://www.deque.com/axe/core-documentation/"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from playwright.sync_api import Page

from tests.node_packages import node_packages

_LOOK = """async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    document.getAnimations().forEach((each) => each.finish());  // a colour on its way is none yet
    const { violations } = await axe.run(document, OPTIONS);
    const tell = (node) => `${node.html} ${node.any.map((check) => check.message).join(' ')}`;
    return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.map(tell).join('\\n    ')}`);
}"""
# The label of the admin pages' search is a picture with a name, which the rule does not take for one.
_ALL = "{ rules: { 'label-title-only': { enabled: false } } }"
# Nothing else is different in the dark: the pages have the same parts and names there.
_COLOURS = "{ runOnly: ['color-contrast'] }"
_SCHEMES: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", _ALL), ("dark", _COLOURS))


PHONE = 375


def barriers_at_any_width(page: Page) -> list[str]:
    """As below and on a phone, where tables are cards, whose colours are the same."""
    found, window = barriers(page), page.viewport_size
    assert window is not None
    page.set_viewport_size({"width": PHONE, "height": 800})
    found += [f"on a phone, {each}" for each in _look(page, *_SCHEMES[0])]
    page.set_viewport_size(window)
    return found


def barriers(page: Page) -> list[str]:
    """What is serious or critical, in the light, and of the colours in the dark."""
    # The pages' own policy lets no script in, but has no say in what the browser's debugger evaluates.
    page.evaluate(_source())
    return [each for scheme, options in _SCHEMES for each in _look(page, scheme, options)]


def _look(page: Page, scheme: Literal["light", "dark"], options: str) -> list[str]:
    page.emulate_media(color_scheme=scheme)
    told: Any = page.evaluate(_LOOK.replace("OPTIONS", options))
    return [f"{scheme}: {each}" for each in told]


@cache
def _source() -> str:
    return (node_packages() / "node_modules" / "axe-core" / "axe.min.js").read_text()
