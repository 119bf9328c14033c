"""The units in deploy/systemd, read by systemd itself."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from oxide_project import settings, variables
from tests.live import ROOT
from tests.programs import program

UNITS = ROOT / "deploy" / "systemd"
KNOWN = {variable.name for group in variables.GROUPS.values() for variable in group} | {"PYTHONUNBUFFERED"}
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))


def section(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names of settings keep their capitals
    parser.read(UNITS / name)
    return parser["Service"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units with paths that are there on this machine."""
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/oxide/.venv/bin/python", sys.executable)
        (folder / unit.name).write_text(text.replace("/opt/oxide", str(ROOT)))
    return folder


def test_systemd_takes_all_of_them(installed: Path) -> None:
    units = sorted(map(str, installed.iterdir()))
    command = [program("systemd-analyze"), "verify", "--man=no", *units]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    told = [line for line in done.stderr.splitlines() if str(installed) in line or "oxide" in line]
    assert (done.returncode, told) == (0, [])


def test_oxide_is_exposed_little(installed: Path) -> None:
    command = [program("systemd-analyze"), "security", "--offline=true", "--threshold=20"]
    done = subprocess.run(
        [*command, str(installed / "oxide.service")], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout[-200:]


@pytest.mark.parametrize("name", SERVICES)
def test_its_command_is_one_that_oxide_has(name: str) -> None:
    interpreter, script, command, *arguments = shlex.split(section(name)["ExecStart"])
    assert (interpreter, script) == ("/opt/oxide/.venv/bin/python", "manage.py")
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    assert parser.parse_args(arguments)


@pytest.mark.parametrize("name", SERVICES)
def test_it_sets_variables_that_oxide_knows(name: str) -> None:
    assert set(re.findall(r"(\w+)=", section(name)["Environment"])) <= KNOWN


def test_calls_in_flight_have_time_to_end() -> None:
    assert int(section("oxide.service")["TimeoutStopSec"]) >= settings.DRAIN_SECONDS + 10
    assert section("oxide.service")["KillMode"] == "mixed"
