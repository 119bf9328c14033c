"""Every code block of docs/clients-python.md is run, and the tables name what there is."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import types
from pathlib import Path

import pytest

import oxide_client
from oxide_client import Oxide
from oxide_client.cli.exits import EXITS
from tests.clients.python.conftest import install, surroundings
from tests.clients.python.guides import run_python
from tests.fake_provider import TEXT
from tests.live import ROOT, LiveOxide

GUIDE = (ROOT / "docs" / "clients-python.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
README = (ROOT / "clients" / "python" / "README.md").read_text()
BLOCKS += re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
ADDRESS = "http://localhost:8000"


@pytest.mark.parametrize("number", [number for number, (language, _) in enumerate(BLOCKS) if language == "python"])
def test_each_python_block_runs(
    number: int,
    live: LiveOxide,
    guarded: LiveOxide,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    block = BLOCKS[number][1]
    monkeypatch.setenv("OXIDE_PASSWORD", guarded.admin_password)
    assert ADDRESS in block
    names = run_python(block.replace(ADDRESS, guarded.url if "login" in block else live.url))
    if "result" in names:
        assert (names["result"]["status"], names["result"]["result"]) == ("completed", TEXT)
    else:
        assert capsys.readouterr().out


@pytest.mark.parametrize("number", [number for number, (language, _) in enumerate(BLOCKS) if language == "bash"])
def test_each_shell_block_runs(number: int, live: LiveOxide, installed: Path, tmp_path: Path) -> None:
    block = BLOCKS[number][1]
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
    assert done.stdout


def test_no_block_is_left_out() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "bash"}
    assert len(BLOCKS) > 15


def test_the_guide_names_every_call_error_and_exit_status() -> None:
    calls = [name for name, _ in inspect.getmembers(Oxide, inspect.isfunction) if not name.startswith("_")]
    kinds = [name for name in oxide_client.__all__ if name.endswith("Error")]
    assert [name for name in (*calls, *kinds) if f"`{name}`" not in GUIDE] == ["close"]
    for exit_, meaning in EXITS.items():
        assert f"| {exit_.value} | {meaning} |" in GUIDE


def test_everything_that_is_exported_is_there() -> None:
    assert all(getattr(oxide_client, name) is not None for name in oxide_client.__all__)
    assert isinstance(oxide_client, types.ModuleType)
    with pytest.raises(AttributeError, match="Oxidd"):
        getattr(oxide_client, "Oxidd")  # noqa: B009 - mypy knows that it is not there
