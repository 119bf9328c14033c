"""The pictures that the README and the guides show are made by one command."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests import screenshots
from tests.live import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dashboard")]


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG. https://www.w3.org/TR/png-3/#11IHDR"""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_the_command_takes_pictures_into_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.screenshots", "now", "first-day", "--width", "1280", "--scheme", "light"]
    before = {path: path.stat().st_mtime_ns for path in screenshots.SHOWN.iterdir()}
    subprocess.run([*command, "--into", str(tmp_path)], cwd=ROOT, check=True, timeout=110)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first-day-1280-light.png", "now-1280-light.png"]
    width, height = size_of(tmp_path / "now-1280-light.png")
    assert width == 1280
    assert height > 1200, "services and all"
    assert {path: path.stat().st_mtime_ns for path in screenshots.SHOWN.iterdir()} == before


def test_what_the_readme_and_the_guides_show_is_what_the_command_makes() -> None:
    texts = [page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]]
    shown = {name for text in texts for name in re.findall(r"screenshots/([\w-]+)\.png", text)}
    made = {f"{name}-{scheme}" for name in screenshots.SHOWN_PAGES for scheme in screenshots.SCHEMES}
    assert shown == made == {path.stem for path in screenshots.SHOWN.iterdir()}


def test_make_screenshots_is_that_command() -> None:
    told = subprocess.run(["make", "-n", "screenshots"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    # Where make was called by make, it tells of folders, too.
    assert ".venv/bin/python -m tests.screenshots" in told.splitlines()
