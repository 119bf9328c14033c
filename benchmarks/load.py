"""Puts load on a target, in a process of its own: wrk where it is installed, else `benchmarks.hammer`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.hammer import Load
from benchmarks.targets import Target

_PROMPT = "Say something, please, about the weather in Oslo."
# wrk prints no 95th percentile by itself.
_SCRIPT = """
wrk.method = "POST"
wrk.body = %(body)s
%(headers)s
done = function(summary, latency)
  local errors = summary.errors
  print(string.format("FOUND %%f %%d %%d %%d %%d", summary.requests / summary.duration * 1e6, latency:percentile(50),
    latency:percentile(95), latency:percentile(99), errors.status + errors.connect + errors.read + errors.timeout))
end
"""


def whole(target: Target, clients: int, seconds: int) -> Load:
    """Answers in one piece."""
    if not shutil.which("wrk"):
        return _hammer(target, clients, seconds, stream=False)
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in target.headers.items()]
    script = _SCRIPT % {"body": json.dumps(_body(target, stream=False)), "headers": "\n".join(lines)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "load.lua")
        file.write_text(script)
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(file), target.address]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    numbers = re.search(r"FOUND (\S+) (\d+) (\d+) (\d+) (\d+)", told)
    if not numbers:
        raise RuntimeError(f"wrk told nothing of {target.name}: {told}")
    per_second, p50, p95, p99, errors = map(float, numbers.groups())
    return Load(per_second, p50 / 1000, p95 / 1000, p99 / 1000, int(errors))


def streams(target: Target, clients: int, seconds: int) -> Load:
    """Streams of 50 chunks without a pause."""
    return _hammer(target, clients, seconds, stream=True)


def _hammer(target: Target, clients: int, seconds: int, *, stream: bool) -> Load:
    request = json.dumps({"headers": target.headers, "body": _body(target, stream=stream)})
    command = [sys.executable, "-m", "benchmarks.hammer", target.address, str(clients), str(seconds)]
    told = subprocess.run(command, input=request, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return Load(**json.loads(told.stdout))


def _body(target: Target, *, stream: bool) -> str:
    asked = {"model": target.model, "messages": [{"role": "user", "content": _PROMPT}]}
    return json.dumps({**asked, "stream": True} if stream else asked)
