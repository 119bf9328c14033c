"""The pictures of docs/architecture.md are drawn by hand: here they are held to what they show."""

from __future__ import annotations

import re
import tomllib
from xml.etree import ElementTree as ET

import pytest

from tests.docs.pages import DOCS
from tests.live import ROOT

_PICTURE = re.compile(r"!\[([^\]]+)\]\(([\w-]+\.svg)\)")
PICTURES = {name: alt for alt, name in _PICTURE.findall((DOCS / "architecture.md").read_text())}


def texts_of(name: str) -> list[str]:
    """What stands in a picture, from top to bottom as it is written."""
    root = ET.fromstring((DOCS / name).read_text())  # noqa: S314 - our own file
    return [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]


def layers() -> list[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return list(found)


def test_each_picture_stands_in_the_page() -> None:
    assert sorted(PICTURES) == sorted(path.name for path in DOCS.glob("*.svg"))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_readable_in_light_and_dark(name: str) -> None:
    assert texts_of(name)
    assert "(prefers-color-scheme: dark)" in (DOCS / name).read_text()


def test_the_parts_stand_in_the_order_in_which_they_import() -> None:
    assert [text for text in texts_of("architecture-parts.svg") if text in layers()] == layers()


def test_who_does_not_see_the_parts_is_told_their_order() -> None:
    named = re.findall(r"\w+", PICTURES["architecture-parts.svg"])
    assert [word for word in named if word in layers()] == layers()


def test_the_way_of_a_task_has_each_step() -> None:
    steps = ["gate", "classify", "choose", "ask one candidate", "record"]
    assert [text for text in texts_of("architecture-task.svg") if text in steps] == steps
