"""Figures as the dashboard writes them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from monitoring import pages
from tests.programs import program

MODULE = Path(pages.__file__).parent / "static" / "dashboard" / "format.js"

SAID = {
    "percent(0)": "0 %",
    "percent(0.004)": "< 0.1 %",
    "percent(15.66)": "15.7 %",
    "percent(null)": "\N{EN DASH}",
    "rate(0)": "0",
    "rate(0.03)": "< 0.1",
    "rate(1.25)": "1.3",
    "rate(1234.5)": "1,235",
    "milliseconds(0)": "0 ms",
    "milliseconds(0.04)": "< 0.1 ms",
    "milliseconds(9.87)": "9.9 ms",
    "milliseconds(909)": "909 ms",
    "seconds(0.00004)": "< 0.1 ms",
    "seconds(24.06)": "24.1 s",
    "dollars(0)": "$0",
    "dollars(0.0000004)": "< $0.000001",
    "dollars(0.00003)": "$0.00003",
    "dollars(0.01234)": "$0.0123",
    "dollars(0.5)": "$0.50",
    "dollars(0.9996)": "$1.00",
    "dollars(1234.5)": "$1,234.50",
    "dollars(null)": "unknown",
    "spent(0, 0, 0)": "$0",
    "spent(0, 3, 0)": "$0",
    "spent(0, 3, 3)": "unknown",
    "spent(0.25, 3, 1)": "at least $0.25",
}


@pytest.mark.slow
def test_nothing_is_told_as_nothing_and_what_is_little_is_not() -> None:
    script = f"{MODULE.read_text()}\nconsole.log(JSON.stringify([{', '.join(SAID)}]));"
    done = subprocess.run(
        [program("node"), "--input-type=module"], input=script, capture_output=True, text=True, timeout=60, check=True
    )
    assert dict(zip(SAID, json.loads(done.stdout), strict=True)) == SAID
