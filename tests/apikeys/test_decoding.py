from __future__ import annotations

import subprocess
import sys

from tests.live import ROOT

# Every round has kinds of its own: only a kind's first use is dangerous, and what goes wrong ends the process.
FIRST_USES_AT_ONCE = """
import sys, threading
from msgspec import defstruct
from apikeys.decoding import body

sys.setswitchinterval(1e-6)
for number in range(100):
    inner = defstruct(f"Inner{number}", [("name", str, "")])
    kind = defstruct(f"Outer{number}", [(f"field{n}", list[inner] | None, None) for n in range(5)])
    together = threading.Barrier(8)

    def use():
        together.wait()
        for _ in range(20):
            body({"field0": [{"name": "x"}]}, kind)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_many_may_be_the_first_to_send_a_kind_of_body() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USES_AT_ONCE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
