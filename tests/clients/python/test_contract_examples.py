"""The contract's example for Python, as it stands there: `contract-client.txt` is that, byte for byte."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import oxide_client
from oxide_client import AsyncOxide
from tests.clients.python.guides import run_python
from tests.documents import blocks_of
from tests.fake_provider import TEXT
from tests.live import ROOT, LiveOxide

EXAMPLE = Path(__file__).with_name("contract-client.txt").read_text()
OWN_CLASS, _, USAGE = EXAMPLE.partition("# Usage\n")


@pytest.fixture(autouse=True)
def localhost_8000(live: LiveOxide, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's Oxide is at localhost:8000, that of the tests elsewhere."""
    there = urlsplit(live.url).port or 0

    class Resolver(AbstractResolver):
        def __init__(self, *_: object, **__: object) -> None:
            """The connector gives it a loop."""

        async def resolve(
            self,
            host: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's signature
        ) -> list[ResolveResult]:
            assert (host, port) == ("localhost", 8000)
            return [ResolveResult(hostname=host, host="127.0.0.1", port=there, family=socket.AF_INET, proto=0, flags=0)]

        async def close(self) -> None:
            """It holds nothing."""

    monkeypatch.setattr("aiohttp.connector.DefaultResolver", Resolver)


def assert_done(result: Any) -> None:
    assert (result["status"], result["result"], result["task_type"]) == ("completed", TEXT, "question_answer")


def test_the_class_of_the_contract_works() -> None:
    assert_done(run_python(EXAMPLE)["result"])


def test_its_usage_is_the_clients_too() -> None:
    program = f"from oxide_client import OxideClient\n{USAGE}await client.close()\n"
    names = run_python(program)
    assert isinstance(names["client"], AsyncOxide)
    assert_done(names["result"])


def test_its_parameters_are_the_clients_too() -> None:
    calls = ["client.execute_task('Hello')", "client.execute_task('Hello', 'chat', service='echo', temperature=1)"]
    usage = f"client = OxideClient()\nresult = [await {calls[0]}, await {calls[1]}]\n"
    own = run_python(OWN_CLASS + usage)["result"]
    given = run_python(f"{usage}await client.close()\n", OxideClient=oxide_client.OxideClient)["result"]
    told = ("result", "task_type", "service_used", "model_used")
    assert [[answer[name] for name in told] for answer in own] == [[answer[name] for name in told] for answer in given]
    assert [answer["task_type"] for answer in own] == ["general", "chat"]


def test_the_guide_shows_it_as_it_stands() -> None:
    shown = [block.code for block in blocks_of(ROOT / "docs" / "clients-python.md", "python")]
    assert EXAMPLE in shown
