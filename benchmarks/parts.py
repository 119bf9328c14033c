"""Where the time of a call goes, from its whole request to its whole answer, on one thread that nobody disturbs.

    python -m benchmarks.parts [CALLS]

Shares are cProfile's, which makes small functions look dearer than they are; the sum is what the processor took without
it.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import yaml

from benchmarks import targets

_BODY = json.dumps({"model": "mock/mock", "messages": [{"role": "user", "content": "How is the weather in Oslo?"}]})
_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "path": "/v1/chat/completions",
    "root_path": "",
    "scheme": "http",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")],
    "client": ["127.0.0.1", 1],
    "server": ["127.0.0.1", 8000],
}
_WARM_CALLS = 300
# What stands in each part, and what of it has a part of its own: functions, as file and name.
_PARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "committing the task": (("recorder.py save",), ()),
    "libcurl: sending, waiting, receiving": (("curl.py exchange",), ()),
    "the request for the provider, and reading its answer": (("http.py complete",), ("curl.py exchange",)),
    "the pipeline: attempt, price, breaker, bulkhead, events": (
        ("pipeline.py _work",),
        ("recorder.py save", "http.py complete"),
    ),
    "classifying, choosing a service, making the task": (("calling.py begin",), ()),
    "the body: JSON, its checks, the model's name": (
        ("request.py _load_data_and_files", "chat_body.py read", "chat_body.py task_request"),
        (),
    ),
    "the answer and its headers": (("chat_answer.py completion", "calling.py tell"), ()),
    "rate limit and its headers": (("limits.py count", "gate.py _tell_allowance"), ()),
}
_ALL = "handler.py _answer"


@contextmanager
def _calls() -> Iterator[Callable[[int], None]]:
    """Does so many calls, on an Oxide in this process over the benchmark's provider."""
    with targets.provider() as mock, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "oxide.yaml")
        service = {"type": "http", "api": "openai", "model": "mock"}
        service["base_url"] = mock.address.removesuffix("/chat/completions")
        rates = {"anonymous": targets.NO_LIMIT, "authenticated": targets.NO_LIMIT}
        config.write_text(yaml.safe_dump({"services": {"mock": service}, "security": {"rate_limits": rates}}))
        os.environ |= {"OXIDE_DATA_DIR": folder, "OXIDE_CONFIG": str(config)}
        os.environ["DJANGO_SETTINGS_MODULE"] = "oxide_project.settings"
        import django  # noqa: PLC0415 - with the settings of this folder

        django.setup()
        from oxide_project import startup  # noqa: PLC0415 - these need what was just set up
        from oxide_project.asgi import handler  # noqa: PLC0415
        from oxide_project.handler import Client  # noqa: PLC0415
        from snapshots import snapshot  # noqa: PLC0415
        from tasks import runner  # noqa: PLC0415
        from tasks.recorder import recorder  # noqa: PLC0415

        startup.migrate()
        startup.seed()
        snapshot.read_all()
        runner.begin(alone=True)
        startup.calm_garbage_collector()

        async def make_client() -> Client:
            return Client(lambda _event: asyncio.sleep(0))

        client = asyncio.new_event_loop().run_until_complete(make_client())
        headers = [*_SCOPE["headers"], (b"content-length", str(len(_BODY)).encode())]

        def call(times: int) -> None:
            for _ in range(times):
                answer = handler._answer({**_SCOPE, "headers": headers}, BytesIO(_BODY.encode()), client)  # noqa: SLF001
                if answer is None or answer.status != 200:
                    raise RuntimeError(f"Oxide answered {answer}.")

        try:
            yield call
        finally:
            recorder.stop()
            runner.end()


def _spent(call: Callable[[int], None], times: int) -> float:
    """Microseconds of the processor for each call: of five goes the quickest, which was disturbed least."""
    found = []
    for _ in range(5):
        begin = time.thread_time()
        call(times)
        found.append(time.thread_time() - begin)
    return min(found) / times * 1e6


def _shares(call: Callable[[int], None], times: int) -> Mapping[str, float]:
    """Of the time of a call, by function; those within are counted, too."""
    profile = cProfile.Profile()
    profile.runcall(call, times)
    found: dict[str, float] = {}
    for (file, _line, function), (_, _, _, seconds, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        name = f"{Path(file).name} {function}"
        found[name] = max(found.get(name, 0.0), seconds)
    return {name: seconds / found[_ALL] for name, seconds in found.items()}


def main(times: int) -> None:
    with _calls() as call:
        call(_WARM_CALLS)
        whole, shares = _spent(call, times), _shares(call, times)
    left, lines = whole, ["| part | µs |", "|---|---:|"]
    for part, (functions, others) in _PARTS.items():
        took = whole * (sum(shares[name] for name in functions) - sum(shares[name] for name in others))
        left -= took
        lines.append(f"| {part} | {took:.0f} |")
    lines += [f"| REST framework, Django, middleware, gate | {left:.0f} |", f"| all | {whole:.0f} |"]
    print("\n".join(lines))  # noqa: T201 - for whoever waits for it


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
