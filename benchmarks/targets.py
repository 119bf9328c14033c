"""What is measured, each started as its makers say, over the same provider: Oxide, its peers, that provider itself."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
import yaml

from benchmarks.many_tasks import fill

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(os.environ.get("OXIDE_BENCH_PEERS", ROOT / "var" / "peers"))
_START_SECONDS = 120
NO_LIMIT = "100000000/m"  # counted all the same


@dataclass(frozen=True)
class Target:
    name: str
    address: str
    model: str = "mock"
    headers: Mapping[str, str] = field(default_factory=dict)
    pid: int = 0
    start_seconds: float = 0.0

    @property
    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        numbers = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_mb(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def provider() -> Iterator[Target]:
    """`benchmarks.mock`, asked without anything between."""
    port = _free_port()
    with _running([sys.executable, "-m", "benchmarks.mock", str(port)], f"http://127.0.0.1:{port}/stats") as (pid, _):
        yield Target("direct", f"http://127.0.0.1:{port}/v1/chat/completions", headers=_JSON, pid=pid)


@contextmanager
def oxide(
    name: str,
    mock: Target,
    *,
    limits: bool = True,
    identity: bool = False,
    history: bool = True,
    tasks: int = 0,
    rules: int = 0,
    onlookers: int = 0,
    dashboards: int = 0,
) -> Iterator[Target]:
    """One process, with history in SQLite, as `manage.py serve` starts it on a database that is there already.

    It may hold `tasks` and `rules`; at `/ws` there may be `onlookers`, and `dashboards`, which hear of each task, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "oxide.yaml")
        base_url = mock.address.removesuffix("/chat/completions")
        service = {"type": "http", "api": "openai", "base_url": base_url, "model": "mock", "max_concurrency": 600}
        rate = NO_LIMIT if limits else "0"
        security = {"auth_enabled": identity, "rate_limits": {"anonymous": rate, "authenticated": rate}}
        routing = {"rules": [_rule(number) for number in range(rules)]}
        config.write_text(yaml.safe_dump({"services": {"mock": service}, "security": security, "routing": routing}))
        surroundings = {"OXIDE_DATA_DIR": folder, "OXIDE_CONFIG": str(config)}
        surroundings["DJANGO_SETTINGS_MODULE"] = "oxide_project.settings"
        output = Path(folder, "output.log")
        headers = dict(_JSON)
        for is_first in (True, False):
            if tasks and not is_first:
                fill(Path(folder, "oxide.sqlite3"), tasks)
            program = ["manage.py"] if history else ["-m", "benchmarks.forgetful"]
            with serving([], surroundings, output, program) as (url, pid, seconds):
                if is_first:
                    if identity:
                        headers["Authorization"] = f"Bearer {_make_key(url, output)}"
                    continue
                with _crowd(url, onlookers), _crowd(url, dashboards, "--tasks"):
                    yield Target(name, f"{url}/v1/chat/completions", "mock/mock", headers, pid, seconds)


@contextmanager
def serving(
    arguments: Sequence[str],
    surroundings: Mapping[str, str],
    output: Path | None = None,
    program: Sequence[str] = ("manage.py",),
) -> Iterator[tuple[str, int, float]]:
    """`manage.py serve`: its address, its process id, and the seconds until it answered."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, *program, "serve", "--port", str(port), *arguments]
    with _running(command, f"{url}/health", surroundings, output) as (pid, seconds):
        yield url, pid, seconds


@contextmanager
def litellm(mock: Target) -> Iterator[Target]:
    """Without database and key: what it has to do least for."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "litellm.yaml")
        base_url = mock.address.removesuffix("/chat/completions")
        parameters = {"model": "openai/mock", "api_base": base_url, "api_key": "any"}
        config.write_text(yaml.safe_dump({"model_list": [{"model_name": "mock", "litellm_params": parameters}]}))
        surroundings = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        }
        program = str(PEERS / "litellm" / "bin" / "litellm")
        command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        url = f"http://127.0.0.1:{port}"
        with _running(command, f"{url}/health/liveliness", surroundings) as (pid, seconds):
            yield Target("litellm", f"{url}/v1/chat/completions", headers=_JSON, pid=pid, start_seconds=seconds)


@contextmanager
def portkey(mock: Target) -> Iterator[Target]:
    port = _free_port()
    program = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    headers = {
        **_JSON,
        "Authorization": "Bearer any",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": mock.address.removesuffix("/chat/completions"),
    }
    command = ["node", str(program), f"--port={port}", "--headless"]
    with _running(command, f"http://127.0.0.1:{port}/") as (pid, seconds):
        yield Target(
            "portkey", f"http://127.0.0.1:{port}/v1/chat/completions", headers=headers, pid=pid, start_seconds=seconds
        )


_JSON = {"Content-Type": "application/json"}


def _rule(number: int) -> dict[str, object]:
    task_type = ("chat", "general", "analysis", "translation")[number % 4]
    return {"id": f"rule-{number}", "task_type": task_type, "service": "mock", "priority": number}


@contextmanager
def _crowd(url: str, number: int, *options: str) -> Iterator[None]:
    if not number:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.crowd", url.rpartition(":")[2], str(number), *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:  # noqa: S603 - ours
        said = crowd.stdout.readline() if crowd.stdout else ""
        if said != "ready\n":
            raise RuntimeError(f"The onlookers could not connect: {said}")
        yield
        told, _ = crowd.communicate("")
        if int(told) == 0:
            raise RuntimeError("The onlookers were told nothing.")


def _make_key(url: str, output: Path) -> str:
    password = re.search(r"password (\S+) \(", output.read_text())
    if not password:
        raise RuntimeError("Oxide named no password for its first user.")
    login = requests.post(f"{url}/auth/login/", json={"username": "admin", "password": password[1]}, timeout=30).json()
    bearer = {"Authorization": f"Bearer {login['access_token']}"}
    wanted = {"name": "bench", "scopes": ["execute"]}
    made = requests.post(f"{url}/api/api-keys/clients/", json=wanted, headers=bearer, timeout=30)
    made.raise_for_status()
    return str(made.json()["key"])


@contextmanager
def _running(
    command: Sequence[str], probe: str, surroundings: Mapping[str, str] | None = None, output: Path | None = None
) -> Iterator[tuple[int, float]]:
    """A process, its id and the seconds until it answered. Ended with the block."""
    with ExitStack() as stack:
        log = stack.enter_context((output or Path(os.devnull)).open("ab"))
        begin = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - ours
            command, cwd=ROOT, env={**os.environ, **(surroundings or {})}, stdout=log, stderr=log
        )
        try:
            while not _answers(probe):
                if process.poll() is not None or time.monotonic() - begin > _START_SECONDS:
                    raise RuntimeError(f"{command[0]} did not start: run {' '.join(command)} to see why.")
                time.sleep(0.02)
            yield process.pid, time.monotonic() - begin
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
            process.kill()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).status_code < 500
    except requests.RequestException:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
