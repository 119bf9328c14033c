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
# Nothing else is different in the dark.
_COLOURS = "{ runOnly: ['color-contrast'] }"
_SCHEMES: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", _ALL), ("dark", _COLOURS))


def barriers(page: Page) -> list[str]:
    """What is serious or critical, in the light and in the dark."""
    # The pages' own policy lets no script in, but has no say in what the browser's debugger evaluates.
    page.evaluate(_source())
    found = []
    for scheme, options in _SCHEMES:
        page.emulate_media(color_scheme=scheme)
        told: Any = page.evaluate(_LOOK.replace("OPTIONS", options))
        found += [f"{scheme}: {each}" for each in told]
    return found


@cache
def _source() -> str:
    return (node_packages() / "node_modules" / "axe-core" / "axe.min.js").read_text()
