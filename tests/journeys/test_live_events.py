"""Live events over real sockets, from real processes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.servers import Postgres, Redis
from tests.sse import events
from tests.waiting import wait_until

SECONDS = 30


def address(live: LiveOxide, path: str = "/ws") -> str:
    return live.url.replace("http://", "ws://") + path


@contextmanager
def client(live: LiveOxide, path: str = "/ws", **options: Any) -> Iterator[ClientConnection]:
    with connect(address(live, path), proxy=None, **options) as connection:
        yield connection


def hear(connection: ClientConnection, kind: str, **what: Any) -> dict[str, Any]:
    """The next message of a kind, with just these values."""
    deadline = time.monotonic() + SECONDS
    while True:
        heard: dict[str, Any] = json.loads(connection.recv(deadline - time.monotonic()))
        if heard["type"] == kind and what.items() <= heard.items():
            return heard


def how_it_ends(connection: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """What is still said, and the close code."""
    said: list[dict[str, Any]] = []
    with suppress(ConnectionClosed):
        while True:
            said.append(json.loads(connection.recv(SECONDS)))
    return said, connection.protocol.close_code or 0


def execute(live: LiveOxide, **body: Any) -> dict[str, Any]:
    """On a connection of its own, as many threads do it at once."""
    body = {"prompt": "What is quantum computing?", "service": "echo", **body}
    answered: dict[str, Any] = requests.post(f"{live.url}/api/tasks/execute/", json=body, timeout=60).json()
    return answered


def test_the_client_of_the_contract_hears_of_services_tasks_and_metrics(live: LiveOxide) -> None:
    live.start()
    with client(live) as connection:
        connection.send("ping")
        assert hear(connection, "pong") == {"type": "pong"}
        task_id = execute(live)["task_id"]
        ended = hear(connection, "task_progress", task_id=task_id)
        assert (ended["status"], ended["progress"]) == ("completed", 100)
        metrics = hear(connection, "metrics")
        assert metrics["data"]["tasks"]["completed"] == 1
        assert metrics["data"]["system"]["memory_total_mb"] > 0
        # Changed by another process, the command.
        live.config["services"]["echo"]["enabled"] = False
        live.write_config()
        live.run("reload")
        switched = hear(connection, "service_status", service="echo", data={"healthy": False, "enabled": False})
        assert switched["seq"] > ended["seq"]


def test_whoever_connects_again_is_told_how_things_stand(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("slow", provider.base_url("openai", service="slow"), api="openai").start()
    provider.misbehave("slow", service="slow", seconds=3)
    with client(live) as connection:
        assert hear(connection, "snapshot")["data"]["tasks"] == []
    task_id = execute(live, service="slow", background=True)["task_id"]
    wait_until(lambda: live.get(f"/api/tasks/{task_id}/").json()["status"] == "running")
    with client(live) as connection:
        whole = hear(connection, "snapshot")["data"]
        assert [(task["task_id"], task["status"], task["service"]) for task in whole["tasks"]] == [
            (task_id, "running", "slow")
        ]
        seen = [hear(connection, "task_progress", task_id=task_id)]
        while seen[-1]["progress"] < 100:
            seen.append(hear(connection, "task_progress", task_id=task_id))
        assert [event["progress"] for event in seen] == sorted({event["progress"] for event in seen})
        assert all(event["progress"] <= 95 for event in seen[:-1])
        assert (seen[-1]["status"], seen[-1]["tokens"]) == ("completed", 27)
    with client(live) as connection:
        whole = hear(connection, "snapshot")["data"]
        assert whole["tasks"] == []
        assert whole["metrics"]["tasks"]["completed"] == 1
        assert whole["services"].keys() == {"echo", "slow"}


@pytest.mark.slow
def test_200_clients_hear_everything_in_order(live: LiveOxide) -> None:
    live.start()
    tasks = 60

    async def listen(ready: asyncio.Semaphore) -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []
        async with connect_async(address(live), proxy=None, open_timeout=SECONDS) as connection:
            while not heard or sum(event.get("status") == "completed" for event in heard) < tasks:
                heard.append(json.loads(await asyncio.wait_for(connection.recv(), 2 * SECONDS)))
                if len(heard) == 1:
                    ready.release()
        return heard

    def work() -> set[str]:
        with ThreadPoolExecutor(4) as pool:
            return set(pool.map(lambda _: execute(live)["task_id"], range(tasks)))

    async def story() -> tuple[list[list[dict[str, Any]]], set[str]]:
        ready = asyncio.Semaphore(0)
        listeners = [asyncio.create_task(listen(ready)) for _ in range(200)]
        for _ in listeners:
            await asyncio.wait_for(ready.acquire(), 2 * SECONDS)
        done = await asyncio.to_thread(work)
        return await asyncio.gather(*listeners), done

    everybody, done = asyncio.run(story())
    for heard in everybody:
        assert heard[0]["type"] == "snapshot"
        numbers = [event["seq"] for event in heard[1:]]
        assert numbers == sorted(set(numbers))
        assert {event["task_id"] for event in heard if event.get("status") == "completed"} == done


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_cut_off_and_holds_up_nobody(live: LiveOxide) -> None:
    live.start()
    with client(live, max_queue=None) as reader, stalled(live) as deaf:
        hear(reader, "snapshot")
        before = memory_mb(live)
        told: set[str] = set()

        def read() -> None:
            with suppress(ConnectionClosed):
                for message in reader:
                    heard = json.loads(message)
                    if heard.get("status") == "completed":
                        told.add(heard["task_id"])

        def work(_number: int) -> str:
            return str(execute(live)["task_id"])

        reading = threading.Thread(target=read)
        reading.start()
        done: set[str] = set()
        deadline = time.monotonic() + 90
        with ThreadPoolExecutor(8) as pool:
            while holds(live, deaf):
                assert time.monotonic() < deadline, "the client that reads nothing is still connected"
                done |= set(pool.map(work, range(100)))
        wait_until(lambda: told >= done)
        assert memory_mb(live) - before < 60
        # It can find out: what was sent before it was cut off, and then the end of the connection.
        deaf.settimeout(SECONDS)
        with suppress(ConnectionResetError):
            while deaf.recv(1 << 20):
                pass
        reader.close()
        reading.join()


def test_who_asks_without_reading_the_answers_is_not_read_any_more(live: LiveOxide) -> None:
    live.start()
    ping = bytes((0x89, 0x80 | 125, 0, 0, 0, 0)) + b"x" * 125
    with client(live) as good, stalled(live) as bad:
        hear(good, "snapshot")
        before = memory_mb(live)
        bad.settimeout(3)
        with pytest.raises(TimeoutError):
            bad.sendall(ping * 500_000)  # 64 MB
        assert memory_mb(live) - before < 20
        good.send("ping")
        hear(good, "pong")


def test_sigterm_sends_every_client_away(live: LiveOxide, provider: FakeProvider) -> None:
    live.declare("slow", provider.base_url("openai", service="slow"), api="openai").start()
    provider.misbehave("slow", service="slow", seconds=3)
    kept_alive = requests.Session()
    kept_alive.get(f"{live.url}/api/services/", timeout=60)
    with client(live) as first, client(live) as second, stalled(live), ThreadPoolExecutor(1) as pool:
        for connection in (first, second):
            hear(connection, "snapshot")
        in_hand = pool.submit(execute, live, service="slow")
        wait_until(lambda: provider.requests_to("slow"))
        live.process.terminate()
        assert how_it_ends(first)[1] == how_it_ends(second)[1] == 1012
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        refused = kept_alive.get(
            f"{live.url}/ws", headers={**upgrade, "Sec-WebSocket-Key": "x" * 22 + "=="}, timeout=60
        )
        assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert in_hand.result()["status"] == "completed"
    assert live.process.wait(SECONDS) == 0
    assert "Traceback" not in live.log
    assert "destroyed" not in live.log


@pytest.mark.parametrize(
    ("message", "error", "code"),
    [
        (b"binary", "VALIDATION_ERROR", 1003),
        ("x" * (64 * 1024 + 1), "PAYLOAD_TOO_LARGE", 1009),
        ("x" * (2 * 1024 * 1024), "PAYLOAD_TOO_LARGE", 1009),
    ],
    ids=["binary", "65 KB", "2 MB"],
)
def test_a_message_that_cannot_be_taken_ends_its_connection_alone(
    live: LiveOxide, message: bytes | str, error: str, code: int
) -> None:
    live.start()
    with client(live) as good, client(live) as bad:
        for connection in (good, bad):
            hear(connection, "snapshot")
        bad.send("{" + " " * (64 * 1024 - 2) + "}")  # just short enough
        assert hear(bad, "error")["code"] == "VALIDATION_ERROR"
        bad.send(message)
        said, closed_with = how_it_ends(bad)
        assert ([each["code"] for each in said if each["type"] == "error"], closed_with) == ([error], code)
        good.send("ping")
        hear(good, "pong")


def test_a_flood_ends_its_connection_alone(live: LiveOxide) -> None:
    live.start()
    with client(live) as good, client(live) as bad:
        for connection in (good, bad):
            hear(connection, "snapshot")
        with suppress(ConnectionClosed):
            for _ in range(1_000):
                bad.send("ping")
        said, code = how_it_ends(bad)
        assert (said[-1]["code"], code) == ("RATE_LIMIT_EXCEEDED", 1008)
        good.send("ping")
        hear(good, "pong")


def read_along(connection: ClientConnection, task_id: str) -> tuple[str, int]:
    """The text of a followed task as a client puts it together, and in how many pieces it came."""
    text, pieces = "", 0
    while True:
        heard = json.loads(connection.recv(SECONDS))
        if heard["type"] == "task_delta" and heard["task_id"] == task_id:
            text, pieces = text[: heard["offset"]] + heard["text"], pieces + 1
        elif heard["type"] == "task_progress" and heard["status"] in ("completed", "failed"):
            return text, pieces


def test_who_follows_a_task_reads_along(live: LiveOxide, provider: FakeProvider) -> None:
    provider.pace(0.1)
    live.declare("first", provider.base_url("openai", service="first"), api="openai").start()
    with client(live) as connection:
        task_id = execute(live, service="first", background=True)["task_id"]
        time.sleep(0.5)  # who comes late gets what was said before
        connection.send(json.dumps({"type": "subscribe", "task_id": task_id}))
        text, pieces = read_along(connection, task_id)
    assert text == TEXT
    assert pieces > 2


def test_who_follows_a_streamed_task_reads_what_its_client_gets(live: LiveOxide, provider: FakeProvider) -> None:
    provider.pace(0.1)
    live.declare("first", provider.base_url("openai", service="first"), api="openai").start()
    body = {"prompt": "What?", "stream": True}
    with client(live) as connection:
        with requests.post(f"{live.url}/api/tasks/execute/", json=body, stream=True, timeout=60) as streamed:
            heard = events(streamed.iter_lines(chunk_size=1))
            task_id = next(heard)[1]["task_id"]
            connection.send(json.dumps({"type": "subscribe", "task_id": task_id}))
            said = "".join(data.get("text", "") for name, data in heard if name == "delta")
        assert read_along(connection, task_id)[0] == said == TEXT


def test_where_another_service_begins_anew_the_reader_does_too(live: LiveOxide, provider: FakeProvider) -> None:
    for name in ("first", "second"):
        live.declare(name, provider.base_url("openai", service=name), api="openai", max_retries=0)
    live.start()
    provider.pace(0.1)
    provider.misbehave("truncate", service="first")
    provider.say("first", text="Something else altogether, and much of it. " * 3)
    with client(live) as connection:
        task_id = execute(live, service="auto", background=True)["task_id"]
        connection.send(json.dumps({"type": "subscribe", "task_id": task_id}))
        text, _ = read_along(connection, task_id)
    assert text == TEXT


def test_pages_from_elsewhere_get_no_connection(live: LiveOxide) -> None:
    live.start()
    for origin in ("https://evil.example", "null"):
        with pytest.raises(InvalidStatus) as refused, client(live, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus), client(live, "/elsewhere"):
        pass
    with client(live, origin=live.url) as connection:
        hear(connection, "snapshot")


def test_with_identity_on_a_connection_needs_a_token(live: LiveOxide) -> None:
    live.environment["OXIDE_AUTH_ENABLED"] = "true"
    live.start()
    body = {"username": "admin", "password": live.admin_password}
    token = live.post("/auth/login", json=body).json()["access_token"]
    with client(live, subprotocols=["oxide", f"bearer.{token}"]) as connection:
        assert connection.subprotocol == "oxide"
        hear(connection, "snapshot")
    with client(live) as connection:
        connection.send(json.dumps({"type": "auth", "token": token}))
        assert hear(connection, "authenticated")["name"] == "admin"
        hear(connection, "snapshot")
    with client(live, subprotocols=["oxide", "bearer.wrong"]) as connection:
        assert how_it_ends(connection)[1] == 4401
    with client(live, f"/ws?token={token}") as connection:
        said, code = how_it_ends(connection)
        assert (said[0]["code"], code) == ("VALIDATION_ERROR", 4400)
    assert token not in live.log


@pytest.fixture
def pair(live: LiveOxide, tmp_path: Path) -> Iterator[tuple[LiveOxide, LiveOxide, Redis]]:
    """Two processes, each on a port of its own, with one database and one Redis; not started yet."""
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = LiveOxide(other_folder)
    with Postgres() as postgres, postgres.database("pair") as url, Redis() as redis:
        shared = {"DATABASE_URL": url, "REDIS_URL": redis.url, "OXIDE_SECRET_KEY": "one secret key for both processes"}
        for oxide in (live, other):
            oxide.environment |= shared
        try:
            yield live, other, redis
        finally:
            live.kill()
            other.kill()


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_clients_of_one_process_hear_of_tasks_in_another_with_pauses_while_redis_is_away(
    pair: tuple[LiveOxide, LiveOxide, Redis],
) -> None:
    here, there, redis = pair
    here.start()
    there.start()
    with client(here) as connection:
        hear(connection, "snapshot")
        for oxide in (here, there):
            task_id = execute(oxide)["task_id"]
            hear(connection, "task_progress", task_id=task_id, progress=100)

        redis.stop()
        wait_until(lambda: all("Redis is away" in oxide.log for oxide in (here, there)))
        for oxide in (here, there):
            task_id = execute(oxide)["task_id"]
            if oxide is here:
                hear(connection, "task_progress", task_id=task_id, progress=100)

        redis.start()
        whole = hear(connection, "snapshot")  # it may have missed something
        assert whole["data"]["metrics"]["tasks"]["completed"] == 4
        wait_until(lambda: all("Redis is back" in oxide.log for oxide in (here, there)))
        task_id = execute(there)["task_id"]
        hear(connection, "task_progress", task_id=task_id, progress=100)
    for oxide in (here, there):
        assert (oxide.log.count("Redis is away"), oxide.log.count("Redis is back")) == (1, 1)
        assert oxide.stop() == 0


@contextmanager
def stalled(live: LiveOxide) -> Iterator[socket.socket]:
    """A client that shakes hands and then reads nothing."""
    host, port = live.url.removeprefix("http://").split(":")
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", int(port)))
        raw.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert raw.recv(12) == b"HTTP/1.1 101"
        yield raw


def holds(live: LiveOxide, client: socket.socket) -> bool:
    """Whether the server's end of a connection is open."""
    ends = f"{int(live.url.rsplit(':', 1)[1]):04X}", f"{client.getsockname()[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any((row[1].split(":")[1], row[2].split(":")[1], row[3]) == (*ends, "01") for row in rows)


def memory_mb(live: LiveOxide) -> float:
    status = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
