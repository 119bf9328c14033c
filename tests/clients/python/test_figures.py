"""Figures at the terminal."""

from __future__ import annotations

import json
import subprocess

import pytest

from oxide_client.cli.figures import dollars
from tests.live import ROOT
from tests.programs import program

WRITTEN = {
    0: "$0",
    0.0000001: "< $0.000001",
    0.000001: "$0.000001",
    0.00003: "$0.00003",
    0.0000345: "$0.000035",
    0.0042: "$0.0042",
    0.0123456: "$0.0123",
    0.789: "$0.789",
    1: "$1.00",
    1234.567: "$1,234.57",
}


@pytest.mark.parametrize(("cost", "written"), WRITTEN.items())
def test_a_cost_keeps_the_figures_that_count(cost: float, written: str) -> None:
    assert dollars(cost) == written


def test_half_a_dollar_has_its_cents_and_an_unknown_cost_is_not_free() -> None:
    assert (dollars(0.5), dollars(0.9999), dollars(None)) == ("$0.50", "$1.00", "")


def test_the_dashboard_writes_costs_the_same_way() -> None:
    source = (ROOT / "monitoring" / "static" / "dashboard" / "format.js").read_text()
    script = f"console.log(JSON.stringify({json.dumps(list(WRITTEN))}.map(dollars)))"
    command = [program("node"), "--input-type=module", "--eval", f"{source}\n{script}"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert json.loads(told) == list(WRITTEN.values())
