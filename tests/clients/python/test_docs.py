"""Every code block of docs/clients-python.md is run and prints what is shown; the tables name what there is."""

from __future__ import annotations

import inspect
import os
import subprocess
import types
from pathlib import Path
from typing import Any

import pytest

import oxide_client
from oxide_client import Oxide
from oxide_client.cli.exits import EXITS
from tests.clients.python.conftest import install, surroundings
from tests.clients.python.guides import run_python
from tests.docs.likeness import pattern_of
from tests.documents import blocks_of
from tests.fake_provider import TEXT
from tests.live import ROOT, LiveOxide

GUIDE = ROOT / "docs" / "clients-python.md"
README = ROOT / "clients" / "python" / "README.md"
ADDRESS = "http://localhost:8000"


def blocks_and_output(language: str) -> list[Any]:
    """Each block of a language, with the output that is shown behind it."""
    found = []
    for page in (GUIDE, README):
        blocks = blocks_of(page)
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            shown = following.code if following and following.language == "text" else ""
            if block.language == language:
                found.append(pytest.param(block.code, shown, id=f"{page.name}, line {block.line}"))
    return found


def assert_shown(shown: str, printed: str) -> None:
    if shown:
        assert pattern_of(shown.strip()).fullmatch(printed.strip()), f"{printed}\nis not like\n{shown}"
    assert printed


@pytest.mark.parametrize(("block", "shown"), blocks_and_output("python"))
def test_each_python_block_prints_what_is_shown(
    block: str,
    shown: str,
    live: LiveOxide,
    guarded: LiveOxide,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OXIDE_PASSWORD", guarded.admin_password)
    assert ADDRESS in block
    names = run_python(block.replace(ADDRESS, guarded.url if "login" in block else live.url))
    if "result" in names:
        assert (names["result"]["status"], names["result"]["result"]) == ("completed", TEXT)
    else:
        assert_shown(shown, capsys.readouterr().out)


@pytest.mark.parametrize(("block", "shown"), blocks_and_output("bash"))
def test_each_shell_block_prints_what_is_shown(
    block: str, shown: str, live: LiveOxide, installed: Path, tmp_path: Path
) -> None:
    if block.startswith("pip install"):
        assert block == "pip install ./clients/python\n"
        install(tmp_path)  # as pip does it, without asking for what is needed besides
        assert os.access(tmp_path / "bin" / "oxide", os.X_OK)
        return
    live.execute()
    script = block.replace("oxide watch", "timeout --preserve-status -s INT 2 oxide watch || test $? = 130")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=surroundings(installed, OXIDE_URL=live.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert_shown(shown, done.stdout)


def test_no_block_is_left_out() -> None:
    assert {block.language for page in (GUIDE, README) for block in blocks_of(page)} == {"python", "bash", "text"}


def test_the_guide_names_every_call_error_and_exit_status() -> None:
    guide = GUIDE.read_text()
    calls = [name for name, _ in inspect.getmembers(Oxide, inspect.isfunction) if not name.startswith("_")]
    kinds = [name for name in oxide_client.__all__ if name.endswith("Error")]
    assert [name for name in (*calls, *kinds) if f"`{name}`" not in guide] == ["close"]
    for exit_, meaning in EXITS.items():
        assert f"| {exit_.value} | {meaning} |" in guide


def test_everything_that_is_exported_is_there() -> None:
    assert all(getattr(oxide_client, name) is not None for name in oxide_client.__all__)
    assert isinstance(oxide_client, types.ModuleType)
    with pytest.raises(AttributeError, match="Oxidd"):
        getattr(oxide_client, "Oxidd")  # noqa: B009 - mypy knows that it is not there
