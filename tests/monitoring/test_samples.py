"""How many tasks end in a minute, as a tab of the dashboard finds it out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from monitoring import pages
from tests.programs import program

MODULE = Path(pages.__file__).parent / "static" / "dashboard" / "samples.js"
# Each step is [seconds since the one before, tasks that have ended in all].
SCRIPT = """
globalThis.sessionStorage = { getItem: () => null };
let now = 1e12;
Date.now = () => now;
const samples = new Samples();
const told = STEPS.map(([pause, completed]) => {
  now += pause * 1000;
  return samples.add({ tasks: { completed, failed: 0, cancelled: 0, running: 0 } });
});
console.log(JSON.stringify(told));
"""


def told(*steps: tuple[float, int]) -> list[float | None]:
    script = MODULE.read_text() + SCRIPT.replace("STEPS", json.dumps(steps))
    done = subprocess.run(
        [program("node"), "--input-type=module"], input=script, capture_output=True, text=True, timeout=60, check=True
    )
    rates: list[float | None] = json.loads(done.stdout)
    return rates


@pytest.mark.slow
def test_the_rate_is_a_minutes_and_begins_anew_after_a_gap_or_a_restart() -> None:
    assert told((0, 100), (5, 101), (5, 101)) == [None, 12, 6]
    assert told((0, 0), *[(5, 4)] * 12, (5, 4)) == [None, *[4 * 12 / n for n in range(1, 13)], 0]
    assert told((0, 0), (5, 10), (16, 11), (5, 11)) == [None, 120, None, 0]
    assert told((0, 50), (5, 50), (5, 2), (5, 3)) == [None, 0, None, 12]
