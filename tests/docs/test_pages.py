"""What the pages of `docs/` and the README show is true: every block of them is tried, or says why it cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, OWN_TESTS, PAGES, SHOWN_ONLY, blocks_to_try, is_shown_only, own_test
from tests.docs.reader import LANGUAGES, Reader
from tests.documents import blocks_of
from tests.fake_provider import FakeProvider
from tests.live import ROOT, LiveOxide
from tests.typescript import Workspace, installed

_LINK = re.compile(r"\]\(([\w/.-]+\.md)[)#]")


def pages_to_read() -> list[Any]:
    """Those with Node in them stay together, since its packages are installed once."""
    read = []
    for page in PAGES:
        languages = {block.language for block in blocks_to_try(page)}
        node = [pytest.mark.xdist_group("node"), pytest.mark.timeout(400)] if "javascript" in languages else []
        read += [pytest.param(page, id=page.name, marks=node)] if languages else []
    return read


@pytest.mark.parametrize("page", pages_to_read())
def test_what_a_page_says_works(
    page: Path,
    oxide_for: Callable[[str], LiveOxide],
    provider: FakeProvider,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    blocks = blocks_to_try(page)
    uses_node = any(block.language == "javascript" for block in blocks)
    workspace = Workspace(tmp_path_factory.mktemp("node"), installed()) if uses_node else None
    with Reader(tmp_path, oxide_for(page.name), provider, workspace) as reader:
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            try:
                reader.read(block, following)
            except Exception as error:
                pytest.fail(f"{page.name}, line {block.line}:\n{block.code}\n{error}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_somebody_tries_each_block(page: Path) -> None:
    blocks = blocks_of(page)
    unknown = [block for block in blocks_to_try(page) if block.language not in LANGUAGES]
    places = [f"line {block.line}, {block.language or 'no language'}" for block in unknown]
    assert places == [], "Nobody knows how to try these: name their test in tests/docs/pages.py, or mark them."
    fences = re.findall(r"^\s*```", page.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(blocks), "A block within a list is not seen: put it at the beginning of a line."


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_only_shown_says_why(page: Path) -> None:
    for block in filter(is_shown_only, blocks_of(page)):
        assert len(block.mark.removeprefix(SHOWN_ONLY).split()) >= 3, f"{page.name}, line {block.line}: {block.mark}"
        assert not own_test(page, block), f"{page.name}, line {block.line} has a test and is marked all the same."


def test_the_tests_that_pages_have_are_there() -> None:
    named = {page.name: page for page in PAGES}
    for page, tests in OWN_TESTS.items():
        languages = {block.language for block in blocks_of(named[page])}
        assert tests.keys() - {"*"} <= languages, f"{page} has no such blocks any more."
        assert [test for test in tests.values() if not (ROOT / test).is_file()] == []


def test_pages_show_pictures_that_are_there_and_all_of_them() -> None:
    shown: set[Path] = set()
    for page in PAGES:
        named = re.findall(r'(?:src|srcset)="([^"]+)"|!\[[^\]]*\]\(([^)\s]+)\)', page.read_text())
        shown.update((page.parent / (tag or mark)).resolve() for tag, mark in named)
    assert {picture for picture in shown if not picture.is_file()} == set()
    assert set((DOCS / "screenshots").iterdir()) <= shown


def test_pages_link_to_what_is_there() -> None:
    broken = [
        f"{page.name}: {target}{anchor}"
        for page in [*PAGES, ROOT / "CONTRIBUTING.md", *ROOT.glob("clients/*/README.md")]
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)", page.read_text())
        if not _leads_somewhere(page, target, anchor)
    ]
    assert broken == []


def test_the_list_of_guides_has_each_page_by_itself_or_by_the_page_of_its_folder() -> None:
    """`deployment.md` lists those of `deploying/`."""
    listed = {target for page in ("index.md", "deployment.md") for target in _LINK.findall((DOCS / page).read_text())}
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"index.md"}
    assert pages - listed == set()


def _leads_somewhere(page: Path, target: str, anchor: str) -> bool:
    to = page.parent / target if target else page
    if not to.exists():
        return False
    text = re.sub(r"^```.*?^```$", "", to.read_text(), flags=re.MULTILINE | re.DOTALL) if anchor else ""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    # As GitHub makes them: https://docs.github.com/en/get-started/writing-on-github
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return not anchor or anchor[1:] in anchors
