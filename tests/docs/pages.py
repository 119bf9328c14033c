"""Which pages there are, and who tests what of them.

A block of one of `reader.LANGUAGES` is tried by `test_pages.py` as a reader would, without a word here. A block of
another language, or one that needs more than the Oxide of `conftest.py`, has a test of its own: it is named here, and a
page whose blocks nobody tries fails. Such a test takes all blocks of its page apart by name, so that it fails for one
that is new. A block that cannot be run by anybody is marked in its page, with the reason:

    <!-- shown only: it starts the server that this page is read beside -->
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.documents import Block, blocks_of
from tests.live import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

# page → language → its own test; "*" is all of them
OWN_TESTS: Mapping[str, Mapping[str, str]] = {
    "adding-a-provider.md": dict.fromkeys(("http", "python", "yml"), "tests/docs/test_provider_example.py"),
    "clients-python.md": {"*": "tests/clients/python/test_docs.py"},
    "clients-typescript.md": {"*": "tests/clients/typescript/test_docs.py"},
    # What needs an engine for containers, a cluster or the machine's own services: small programs take their place.
    "container.md": {"*": "tests/deploying/test_container_guide.py"},
    "kubernetes.md": {"*": "tests/deploying/test_kubernetes.py"},
    "nginx.md": {"*": "tests/deploying/test_nginx.py"},
    "operating.md": {"*": "tests/deploying/test_on_a_machine.py"},
    "scaling.md": {"*": "tests/deploying/test_scaling_guide.py"},
    "systemd.md": {"*": "tests/deploying/test_on_a_machine.py"},
}
# Pages that are read beside an Oxide with other settings than the usual ones.
ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    "identity.md": {"OXIDE_AUTH_ENABLED": "true"},
}
SHOWN_ONLY = "shown only: "


def own_test(page: Path, block: Block) -> str:
    tests = OWN_TESTS.get(page.name, {})
    return tests.get(block.language) or tests.get("*", "")


def is_shown_only(block: Block) -> bool:
    return block.mark.startswith("shown only")


def blocks_to_try(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if not is_shown_only(block) and not own_test(page, block)]
