"""Live events through the client, over a server that is killed and started again."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.server import ServerConnection, serve

from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.typescript import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("node"), pytest.mark.timeout(400)]

TEXT = "😀 one two three 😀 four five six seven eight nine ten "
WORDS = tuple(re.findall(r"\S+ ", TEXT))


@pytest.fixture
def restarting(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    live.declare("first", provider.base_url("openai", service="first"), api="openai", max_retries=0)
    return live.start()


def told(lines: Iterator[Any], kind: str, **what: Any) -> dict[str, Any]:
    """The next event of a kind, with just these values."""
    for event in lines:
        if event["type"] == kind and what.items() <= event.items():
            return dict(event)
    raise AssertionError(f"{kind} was not told.")


def test_it_connects_again_after_a_crash_and_follows_on(
    workspace: Workspace, restarting: LiveOxide, provider: FakeProvider
) -> None:
    provider.say("first", words=WORDS)
    provider.pace(0.05, "first")
    port = urlsplit(restarting.url).port
    with workspace.talking("events.mjs", restarting.url, "Tell me") as lines:
        assert told(lines, "connected")["attempt"] == 1
        assert told(lines, "snapshot")["services"] == 2
        lost = told(lines, "following")["task_id"]
        assert told(lines, "task_delta", task_id=lost)["whole"].startswith("😀 ")
        restarting.kill()
        gone = told(lines, "disconnected")
        assert (gone["code"], 0 < gone["retryInMs"] <= 500) == (1006, True)
        restarting.start("--port", str(port))
        assert told(lines, "connected")["attempt"] > 1
        task = told(lines, "following")["task_id"]
        whole = ""
        while whole != TEXT:
            whole = told(lines, "task_delta", task_id=task)["whole"]
            assert TEXT.startswith(whole)
        told(lines, "task_progress", task_id=task, status="completed")
        assert told(lines, "end")


def _say_nothing(connection: ServerConnection) -> None:
    for _message in connection:
        pass


def test_it_catches_up_notices_silence_and_can_be_called_off(
    workspace: Workspace, oxide: LiveOxide, provider: FakeProvider
) -> None:
    provider.say("first", words=WORDS)
    provider.pace(0.1, "first")
    with serve(_say_nothing, "127.0.0.1", 0) as silent:
        threading.Thread(target=silent.serve_forever, daemon=True).start()
        port = silent.socket.getsockname()[1]
        seen = workspace.see("following.mjs", oxide.url, f"http://127.0.0.1:{port}")
        silent.shutdown()
    assert seen["firstOffset"] == 0
    assert seen["text"] == TEXT
    assert seen["types"] == ["connected", "snapshot", "subscribed", "task_delta", "task_progress"]
    assert seen["forgotten"] == ""
    assert seen["late"] == ["completed", 100]
    assert seen["silent"] == [
        ["connected", None, None],
        ["disconnected", 1006, "nothing was heard any more"],
        ["connected", None, None],
    ]
    assert (seen["aborted"], seen["last"]) == ("AbortError", "snapshot")
    assert all(kind == "disconnected" and code == 1006 and pause <= 50 for kind, code, pause in seen["tries"])
    assert seen["without"] == "NO_WEBSOCKET"
