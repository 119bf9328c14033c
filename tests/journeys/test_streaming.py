"""Tasks as streams, over real sockets from a real process."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.fake_provider import TEXT, FakeProvider, Tokens
from tests.live import LiveOxide
from tests.sse import events
from tests.waiting import wait_until

Event = tuple[str, Any]
PRICE = {"input_per_million": 1, "output_per_million": 2}


@pytest.fixture
def oxide(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    for name in ("first", "second"):
        url = provider.base_url("openai", service=name)
        live.declare(name, url, api="openai", max_retries=0, price=PRICE, timeout_seconds=60)
    return live.start()


def ask(oxide: LiveOxide, **body: Any) -> requests.Response:
    body = {"prompt": "What is quantum computing?", "stream": True, **body}
    return requests.post(f"{oxide.url}/api/tasks/execute/", json=body, stream=True, timeout=60)


def read(answer: requests.Response) -> list[Event]:
    assert answer.status_code == 200, answer.text
    return list(events(answer.iter_lines(chunk_size=1)))


def text_of(heard: list[Event]) -> str:
    return "".join(data.get("text", "") for name, data in heard if name == "delta")


@contextmanager
def following(answer: requests.Response) -> Iterator[Iterator[Event]]:
    """The events one by one, each as soon as it is there."""
    with answer:
        assert answer.status_code == 200, answer.text
        yield events(answer.iter_lines(chunk_size=1))


def task(oxide: LiveOxide, task_id: str) -> Any:
    return oxide.get(f"/api/tasks/{task_id}/").json()


def test_a_task_begins_is_answered_in_pieces_counted_and_done(oxide: LiveOxide) -> None:
    heard = read(ask(oxide))
    names = [name for name, _ in heard]
    assert names == ["task", *["delta"] * (len(names) - 3), "usage", "done"]
    assert len(names) > 8
    begun, usage, done = heard[0][1], heard[-2][1], heard[-1][1]
    assert (begun["status"], begun["service"], begun["model"]) == ("running", "first", "alpha")
    assert text_of(heard) == TEXT == done["result"]
    assert usage["usage"]["total_tokens"] == 27
    assert (usage["cost"], usage["cost_basis"]) == (0.000042, "computed")
    stored = task(oxide, begun["task_id"])
    assert (stored["status"], stored["result"], stored["tokens_used"]) == ("completed", TEXT, 27)


def test_thoughts_and_tool_calls_come_as_pieces_too(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.say(text="", reasoning="Let me think.", tool_calls=(("get_weather", {"city": "Oslo"}),))
    heard = read(ask(oxide, tools=[{"type": "function", "function": {"name": "get_weather"}}]))
    deltas = [data for name, data in heard if name == "delta"]
    assert deltas[0] == {"reasoning": "Let me think."}
    calls = [data["tool_call"] for data in deltas if "tool_call" in data]
    assert (calls[0]["id"], calls[0]["name"]) == ("call_0", "get_weather")
    assert "".join(call["arguments"] for call in calls) == '{"city": "Oslo"}'
    assert heard[-1][1]["finish_reason"] == "tool_calls"


def test_a_piece_is_passed_on_before_the_next_has_come(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    with following(ask(oxide)) as heard:
        assert next(heard)[0] == "task"
        assert next(heard) == ("delta", {"text": "Quantum"})


def test_a_failure_before_the_first_word_is_an_error_like_any_other(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("status", status=500)
    answer = ask(oxide)
    assert (answer.status_code, answer.json()["code"]) == (502, "PROVIDER_ERROR")
    assert [attempt["service"] for attempt in answer.json()["attempts"]] == ["first", "second"]
    assert ask(oxide, prompt=" ").status_code == 400
    assert ask(oxide, background=True).json()["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("fault", ["reset", "cut", "stream_error"])
def test_before_the_first_word_another_service_takes_over(oxide: LiveOxide, provider: FakeProvider, fault: str) -> None:
    provider.say("first", text="")  # it greets, and then fails
    provider.misbehave(fault, service="first")
    heard = read(ask(oxide))
    assert heard[0][1]["service"] == "second"
    assert (text_of(heard), heard[-1][0]) == (TEXT, "done")


@pytest.mark.parametrize("fault", ["truncate", "cut", "stream_error"])
def test_a_stream_that_breaks_ends_in_an_error_with_what_had_come(
    oxide: LiveOxide, provider: FakeProvider, fault: str
) -> None:
    provider.misbehave(fault, service="first")
    heard = read(ask(oxide))
    name, error = heard[-1]
    assert (name, error["code"], error["status"]) == ("error", "PROVIDER_ERROR", "failed")
    partial = text_of(heard)
    assert partial
    assert TEXT.startswith(partial)
    stored = task(oxide, heard[0][1]["task_id"])
    assert (stored["status"], stored["result"], stored["finish_reason"]) == ("failed", partial, "")
    assert stored["cost"] > 0
    assert not provider.calls_to("second")


def test_a_client_that_goes_away_closes_the_providers_connection(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    with following(ask(oxide)) as heard:
        task_id = next(heard)[1]["task_id"]
        next(heard)
    wait_until(lambda: provider.hangups >= 1)
    wait_until(lambda: task(oxide, task_id).get("status") == "cancelled")
    stored = task(oxide, task_id)
    assert stored["result"].startswith("Quantum")
    assert (stored["cost_basis"], stored["attempts"][0]["status"]) == ("estimated", "cancelled")
    assert oxide.get("/api/services/first/").json()["breaker"] == "closed"


def test_a_cancelled_task_says_so_and_closes_the_providers_connection(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    with following(ask(oxide)) as heard:
        task_id = next(heard)[1]["task_id"]
        assert oxide.post(f"/api/tasks/{task_id}/cancel/").status_code == 202
        rest = list(heard)
    wait_until(lambda: provider.hangups == 1)
    name, done = rest[-1]
    assert (name, done["status"]) == ("done", "cancelled")
    assert text_of(rest) == done["result"]


def test_a_deadline_ends_the_stream_with_an_error_and_keeps_the_text(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stall")
    heard = read(ask(oxide, timeout_seconds=1))
    assert (heard[-1][0], heard[-1][1]["code"]) == ("error", "TIMEOUT")
    wait_until(lambda: provider.hangups >= 1)
    stored = task(oxide, heard[0][1]["task_id"])
    assert (stored["status"], stored["result"]) == ("failed", text_of(heard))
    assert stored["result"]


def test_a_slow_reader_slows_only_its_own_provider(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.say("first", text="word " * 400_000, tokens=Tokens(10, 400_000))
    with slow_reader(oxide) as reader:
        reader.recv(1000)
        # What the provider could send into socket buffers is sent; then it waits. The other service is quick.
        for _ in range(3):
            assert read(ask(oxide, service="second"))[-1][0] == "done"
        assert not provider.reported_by("first")
    wait_until(lambda: provider.hangups >= 1)


@contextmanager
def slow_reader(oxide: LiveOxide) -> Iterator[socket.socket]:
    """A client with a small buffer that asks for a long answer and reads only when it is told to."""
    address = urlsplit(oxide.url)
    body = b'{"prompt": "x", "service": "first", "stream": true}'
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect((address.hostname, address.port))
        head = f"POST /api/tasks/execute/ HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        reader.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        yield reader


def test_a_head_request_and_an_old_client_do_no_harm(oxide: LiveOxide) -> None:
    assert requests.head(f"{oxide.url}/api/tasks/execute/", timeout=10).status_code == 405
    address = urlsplit(oxide.url)
    body = b'{"prompt": "a b c", "service": "echo", "stream": true}'
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as client:
        head = f"POST /api/tasks/execute/ HTTP/1.0\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    assert b"event: done" in received


def test_a_drain_lets_open_streams_end(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.pace(0.05)
    with following(ask(oxide)) as heard:
        first = next(heard)
        stopping = threading.Thread(target=oxide.stop)
        stopping.start()
        rest = list(heard)
    stopping.join()
    assert first[0] == "task"
    assert (text_of(rest), rest[-1][0]) == (TEXT, "done")
    assert oxide.process.returncode == 0


@pytest.mark.slow
def test_a_silent_provider_opens_the_stream_after_ten_seconds_and_another_still_takes_over(
    oxide: LiveOxide, provider: FakeProvider
) -> None:
    provider.misbehave("slow", service="first", seconds=11, then="status", status=500)
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}], "stream": True}
    with ThreadPoolExecutor() as pool:
        chat, messages = (
            pool.submit(requests.post, f"{oxide.url}/v1/{path}", json={**body, "max_tokens": 9}, timeout=60)
            for path in ("chat/completions", "messages")
        )
        lines = ask(oxide).iter_lines(chunk_size=1)
        opening = [next(lines) for _ in range(4)]
    assert opening[0] == b"event: task"
    assert opening[2:] == [b"", b": ping"]
    begun = json.loads(opening[1].removeprefix(b"data: "))
    assert (begun["service"], begun["model"]) == (None, None)
    heard = list(events(lines))
    assert (text_of(heard), heard[-1][0]) == (TEXT, "done")
    assert heard[-1][1]["service_used"] == "second"
    assert chat.result().headers["x-oxide-attempts"] == "1"
    assert "x-oxide-service" not in chat.result().headers  # it would be the one that did not answer
    assert chat.result().content.startswith(b": ping\n\ndata: {")
    assert messages.result().content.startswith(b'event: ping\ndata: {"type":"ping"}\n\nevent: message_start\n')
