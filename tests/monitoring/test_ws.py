"""The consumer behind `/ws`, by way of the real routes; sockets are in tests/journeys/test_live_events.py."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connection, transaction
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from apikeys import policy, tokens
from apikeys.identity import ANYBODY, Identity, Scope
from apikeys.models import ClientKey
from monitoring import consumers, events, overview, pulse
from monitoring.hub import hub
from monitoring.progress import tracker
from monitoring.statuses import statuses
from monitoring.websocket_urls import urlpatterns
from services import availability, directory, health, signals
from services.adapters.base import ChatRequest, Message, Reply, TextPart
from services.models import Service
from tasks import recorder as recorder_module
from tasks.background import Background
from tasks.models import Status, Task
from tasks.pipeline import prepare
from tasks.recorder import RecorderError, recorder
from tasks.request import TaskRequest
from tasks.storing import store
from tests.people import make_key
from tests.waiting import wait_until

HOST = "localhost:8000"
TASK = "01a2060f-e649-74fb-aca1-e65a7bc908e4"

pytestmark = pytest.mark.django_db(transaction=True)


class Client:
    """A client of `/ws`. `headers` are those of a program on this machine unless a test says otherwise."""

    def __init__(self, path: str = "/ws", protocols: Iterable[str] = (), **headers: str) -> None:
        sent = {"host": HOST, **headers}
        named = [(name.encode(), value.encode()) for name, value in sent.items() if value]
        self._wire = WebsocketCommunicator(URLRouter(urlpatterns), path, named, list(protocols))

    async def __aenter__(self) -> Client:
        assert await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.disconnect(timeout=10)

    async def open(self) -> bool:
        accepted, self.protocol = await self._wire.connect(timeout=10)
        return bool(accepted)

    async def say(self, message: Any) -> None:
        await self._wire.send_to(message if isinstance(message, str) else json.dumps(message))

    async def event(self, **event: Any) -> None:
        await self._wire.send_input({"type": "websocket.receive", **event})

    async def hear(self, kind: str = "") -> dict[str, Any]:
        """The next message, or the next of a kind."""
        while True:
            heard: dict[str, Any] = json.loads(await self._wire.receive_from(timeout=10))
            if kind in ("", heard["type"]):
                return heard

    async def ask(self, message: Any) -> dict[str, Any]:
        await self.say(message)
        return await self.hear()

    async def ended(self) -> tuple[list[dict[str, Any]], int, str]:
        """What is said until the end, the close code and its reason."""
        said: list[dict[str, Any]] = []
        while True:
            message = await self._wire.receive_output(timeout=10)
            if message["type"] == "websocket.close":
                return said, message["code"], message["reason"]
            said.append(json.loads(message["text"]))

    async def is_silent(self) -> bool:
        return bool(await self._wire.receive_nothing(timeout=0.3))


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    tracker.clear()
    statuses._told = None


# The contract


def test_a_new_client_is_told_how_everything_stands() -> None:
    Service.objects.create(name="echo", type="builtin")
    waiting = stored(Status.QUEUED)
    running = stored(Status.RUNNING, started_at=timezone.now() - timedelta(seconds=3))
    stored(Status.COMPLETED, started_at=timezone.now(), completed_at=timezone.now())

    async def story() -> None:
        async with Client() as client:
            told = await client.hear()
            assert (told["type"], told["seq"]) == ("snapshot", hub.seq)
            data = told["data"]
            assert data["services"] == {"echo": {"healthy": False, "enabled": True}}
            assert {"services", "tasks", "system"} <= data["metrics"].keys()
            shown = [(task["task_id"], task["status"]) for task in data["tasks"]]
            assert shown == [(str(running.pk), "running"), (str(waiting.pk), "queued")]
            assert [task["progress"] for task in data["tasks"]] == [pytest.approx(30, abs=20), 0]
            assert not data["more_tasks"]

    run(story)


@pytest.mark.parametrize("path", ["/ws", "/ws/"])
@pytest.mark.parametrize("ping", ["ping", '{"type":"ping"}'])
def test_a_ping_is_answered(path: str, ping: str) -> None:
    async def story() -> None:
        async with Client(path) as client:
            await client.hear("snapshot")
            assert await client.ask(ping) == {"type": "pong"}

    run(story)


@pytest.mark.parametrize("path", ["/", "/wsx", "/ws/x", "/api/ws", "/ws%0A"])
def test_there_is_no_other_address(path: str) -> None:
    async def story() -> None:
        assert not await Client(path).open()

    run(story)


def test_every_kind_of_event_looks_as_the_contract_says() -> None:
    task = Task(status=Status.RUNNING, task_type="general", started_at=timezone.now())

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            events.service_status("echo", {"healthy": True, "enabled": False})
            events.metrics({"services": {}, "tasks": {}, "system": {}})
            events.task_progress(task)
            first = hub.seq + 1
            assert await client.hear() == {
                "type": "service_status",
                "service": "echo",
                "data": {"healthy": True, "enabled": False},
                "seq": first,
            }
            metrics: dict[str, Any] = {"services": {}, "tasks": {}, "system": {}}
            assert await client.hear() == {"type": "metrics", "data": metrics, "seq": first + 1}
            progress = await client.hear()
            assert (progress["type"], progress["task_id"]) == ("task_progress", str(task.pk))
            assert (progress["status"], progress["progress"], progress["seq"]) == ("running", 0, first + 2)
            assert isinstance(progress["progress"], int)

    run(story)


def test_news_that_come_while_the_whole_is_being_read_are_told_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    is_reading, may_go_on = threading.Event(), threading.Event()
    read = overview.read

    def slow_read(identity: Identity) -> dict[str, Any]:
        is_reading.set()
        assert may_go_on.wait(10)
        return read(identity)

    monkeypatch.setattr(overview, "read", slow_read)

    async def story() -> None:
        async with Client() as client:
            assert await asyncio.to_thread(is_reading.wait, 10)
            events.service_status("echo", {"healthy": True, "enabled": True})
            assert await client.ask("ping") == {"type": "pong"}
            assert await client.is_silent()
            may_go_on.set()
            snapshot, news = await client.hear(), await client.hear()
            assert (snapshot["type"], news["type"]) == ("snapshot", "service_status")
            assert snapshot["seq"] < news["seq"]

    run(story)


def test_who_cannot_be_told_the_whole_is_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_identity: Identity) -> dict[str, Any]:
        raise OperationalError("secret address")

    monkeypatch.setattr(overview, "read", away)

    async def story() -> None:
        client = Client()
        assert await client.open()
        said, code, _reason = await client.ended()
        assert [(message["type"], message["code"]) for message in said] == [("error", "SERVICE_UNAVAILABLE")]
        assert "secret" not in json.dumps(said)
        assert code == 1013
        assert hub.size == 0

    run(story)


# What happens to services and tasks


def test_a_change_of_a_service_is_told_once_it_is_committed() -> None:
    service = Service.objects.create(name="echo", type="builtin")

    def change() -> None:
        with transaction.atomic():
            service.enabled = False
            service.save()
            assert hub.is_heard
        service.delete()
        connection.close()

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            await asyncio.to_thread(change)
            removed = False
            while not removed:  # that it was switched off may be told apart, or not
                told = await client.hear("service_status")
                assert told["service"] == "echo"
                assert told["data"] == {"healthy": False, "enabled": False}
                removed = told.get("removed", False)

    run(story)


def test_a_service_that_gets_well_is_told_of_and_what_did_not_change_is_not() -> None:
    for name in ("echo", "other"):
        Service.objects.create(name=name, type="builtin")
    well = health.Health(healthy=True, checked_at=timezone.now(), response_ms=1.0)

    def learn() -> None:
        health._revise("echo", lambda _: well)
        pulse.tell_progress()
        signals.health_changed.send(health.Health, service="echo", health=well)
        connection.close()

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            await asyncio.to_thread(learn)
            told = await client.hear()
            assert (told["service"], told["data"]) == ("echo", {"healthy": True, "enabled": True})
            assert await client.is_silent()

    run(story)


def test_metrics_come_by_themselves_to_who_listens() -> None:
    async def story() -> None:
        await asyncio.to_thread(pulse.tell_metrics)  # nobody listens
        async with Client() as client:
            await client.hear("snapshot")
            await asyncio.to_thread(pulse.tell_metrics)
            told = (await client.hear())["data"]
            assert {"services", "tasks", "system"} <= told.keys()
            assert told["stats"]["window"] == "1h"
            assert len(told["minutes"]["points"]) == 2

    run(story)


def test_a_running_task_is_told_how_far_it_is() -> None:
    task = Task(status=Status.RUNNING, task_type="general", started_at=timezone.now() - timedelta(seconds=2))

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            tracker.begin(task)
            await asyncio.to_thread(pulse.tell_progress)
            told = await client.hear()
            assert (told["task_id"], told["status"]) == (str(task.pk), "running")
            assert 0 < told["progress"] <= 95

    run(story)


def test_an_end_is_not_told_before_it_is_recorded() -> None:
    task = Task(status=Status.RUNNING, task_type="general", started_at=timezone.now() - timedelta(seconds=2))

    def whole() -> list[str]:
        try:
            return [open_task["task_id"] for open_task in overview.read(ANYBODY)["tasks"]]
        finally:
            connection.close()

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            tracker.begin(task)
            task.complete("echo", Reply(model="echo"))
            await asyncio.to_thread(pulse.tell_progress)
            assert await client.is_silent()
            assert await asyncio.to_thread(whole) == []
            subscribed = await client.ask({"type": "subscribe", "task_id": str(task.pk)})
            assert subscribed["task_ids"] == [str(task.pk)]
            assert await client.is_silent()
            await asyncio.to_thread(record, task)
            told = await client.hear()
            assert (told["task_id"], told["status"]) == (str(task.pk), "completed")
            assert await client.is_silent()

    def record(task: Task) -> None:
        store([task])
        connection.close()

    run(story)


def test_a_task_that_is_called_off_before_it_began_is_told_of() -> None:
    task = stored(Status.QUEUED)

    def call_off() -> None:
        task.cancel()
        store([task])
        connection.close()

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            await asyncio.to_thread(call_off)
            told = await client.hear()
            assert (told["task_id"], told["status"], told["progress"]) == (str(task.pk), "cancelled", 100)

    run(story)


def test_a_background_task_is_told_of_when_it_is_queued() -> None:
    Service.objects.create(name="echo", type="builtin")
    waiting = Background(at_once=1)
    held = threading.Event()
    waiting._pool.submit(held.wait, 30)

    def submit() -> str:
        try:
            chat = ChatRequest(model="", messages=(Message("user", (TextPart("Long."),)),))
            return str(waiting.submit(prepare(TaskRequest(chat, service="echo"))).pk)
        finally:
            connection.close()

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            task_id = await asyncio.to_thread(submit)
            told = await client.hear()
            assert (told["task_id"], told["status"], told["progress"]) == (task_id, "queued", 0)
            held.set()
            while told["status"] != "completed":
                told = await client.hear("task_progress")
                assert told["task_id"] == task_id

    run(story)
    waiting.stop()


def test_a_background_task_that_finds_no_free_place_is_told_to_wait() -> None:
    Service.objects.create(name="echo", type="builtin", max_concurrency=1)
    background = Background(at_once=1)

    def submit() -> None:
        try:
            chat = ChatRequest(model="", messages=(Message("user", (TextPart("Hello"),)),))
            background.submit(prepare(TaskRequest(chat, service="echo")))
        finally:
            connection.close()

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            told: list[dict[str, Any]] = []
            with availability.bulkhead.enter("echo", 1):
                await asyncio.to_thread(submit)
                while not told or "waiting" not in told[-1]:
                    told.append(await client.hear("task_progress"))
                assert (told[-1]["status"], told[-1]["waiting"]) == ("running", True)
                async with Client() as late:
                    assert [each["waiting"] for each in (await late.hear("snapshot"))["data"]["tasks"]] == [True]
            while told[-1]["status"] != "completed":
                told.append(await client.hear("task_progress"))
            assert "waiting" not in told[-1]

    run(story)
    background.stop()


def test_a_task_whose_end_the_database_does_not_take_is_told_to_have_ended_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = stored(Status.RUNNING, started_at=timezone.now())
    write, away = recorder_module._write, threading.Event()

    def sometimes_away(batch: list[Any]) -> None:
        if away.is_set():
            raise OperationalError("away")
        write(batch)

    monkeypatch.setattr(recorder_module, "_write", sometimes_away)
    monkeypatch.setattr(recorder_module, "_is_away", away.is_set)

    def end() -> None:
        task.fail("TIMEOUT", "Too slow.")
        with pytest.raises(RecorderError):
            recorder.save(task)

    def whole() -> list[str]:
        try:
            return [open_task["task_id"] for open_task in overview.read(ANYBODY)["tasks"]]
        finally:
            connection.close()

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            tracker.begin(task)
            away.set()
            await asyncio.to_thread(end)
            told = await client.hear()
            assert (told["task_id"], told["status"], told["progress"]) == (str(task.pk), "failed", 100)
            assert told["error_code"] == "TIMEOUT"
            assert await asyncio.to_thread(whole) == []
            away.clear()
            await asyncio.to_thread(wait_until, is_recorded)
            assert await client.is_silent()

    def is_recorded() -> bool:
        try:
            return Task.objects.get().status == Status.FAILED
        finally:
            connection.close()

    run(story)


def test_an_end_that_is_written_as_an_interruption_is_not_told_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    task = stored(Status.RUNNING, started_at=timezone.now())

    def end() -> None:
        task.complete("echo", Reply(model="echo"))
        task.result = "half a pair: \ud800"
        with pytest.raises(RecorderError):
            recorder.save(task)

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            tracker.begin(task)
            await asyncio.to_thread(end)
            told = await client.hear()
            assert (told["status"], told["error_code"]) == ("failed", "INTERRUPTED")
            assert await client.is_silent()

    run(story)


# Subscriptions


def test_topics_are_added_and_taken_away() -> None:
    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            answer = await client.ask({"type": "unsubscribe", "topics": ["services", "tasks"]})
            assert answer == {"type": "subscribed", "topics": ["metrics"], "task_ids": []}
            events.service_status("echo", None)
            events.metrics({})
            assert (await client.hear())["type"] == "metrics"
            answer = await client.ask({"type": "subscribe", "topics": ["services", "metrics"]})
            assert answer["topics"] == ["metrics", "services"]
            events.service_status("echo", None)
            assert (await client.hear())["type"] == "service_status"

    run(story)


def test_who_follows_a_task_alone_hears_its_text_and_its_end_alone() -> None:
    mine = Task(status=Status.RUNNING, task_type="general", started_at=timezone.now())
    other = Task(status=Status.RUNNING, task_type="general", started_at=timezone.now())

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            for task in (mine, other):
                tracker.begin(task)
            await client.ask({"type": "unsubscribe", "topics": ["services", "metrics", "tasks"]})
            subscribed = await client.ask({"type": "subscribe", "task_id": str(mine.pk)})
            assert subscribed == {"type": "subscribed", "topics": [], "task_ids": [str(mine.pk)]}
            assert (await client.hear())["status"] == "running"
            for word in ("Quan", "tum"):
                events.task_delta(mine, word)
                events.task_delta(other, word)
            events.task_progress(other)
            delta = await client.hear()
            assert delta == {**delta, "type": "task_delta", "task_id": str(mine.pk), "text": "Quantum", "offset": 0}
            events.task_delta(mine, " computing")
            mine.status, mine.completed_at = Status.COMPLETED, timezone.now()
            events.task_progress(mine)
            delta, end = await client.hear(), await client.hear()
            assert (delta["text"], delta["offset"]) == (" computing", 7)
            assert (end["status"], end["progress"]) == ("completed", 100)
            assert (await client.ask({"type": "unsubscribe", "task_id": str(mine.pk)}))["task_ids"] == []
            assert not hub.is_followed(str(mine.pk))

    run(story)


def test_who_follows_no_task_hears_no_text() -> None:
    task = Task(status=Status.RUNNING, task_type="general")

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            events.task_delta(task, "Quantum")
            assert await client.is_silent()

    run(story)


def test_who_follows_a_task_is_told_at_once_how_it_stands() -> None:
    now = timezone.now()
    done = stored(Status.COMPLETED, started_at=now - timedelta(seconds=2), completed_at=now, service_used="echo")

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            await client.ask({"type": "subscribe", "task_id": str(done.pk)})
            told = await client.hear()
            assert (told["task_id"], told["status"], told["progress"]) == (str(done.pk), "completed", 100)
            assert (told["service"], told["elapsed"]) == ("echo", 2.0)
            # One that is not there yet may come.
            await client.ask({"type": "subscribe", "task_id": TASK})
            assert await client.is_silent()

    run(story)


def test_one_client_cannot_follow_tasks_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "MOST_FOLLOWED", 3)

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            for _ in range(3):
                assert (await client.ask({"type": "subscribe", "task_id": str(uuid.uuid4())}))["type"] == "subscribed"
            assert (await client.ask({"type": "subscribe", "task_id": TASK}))["code"] == "VALIDATION_ERROR"

    run(story)


# Clients that misbehave


def test_a_mistake_is_explained_and_ten_are_too_many() -> None:
    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            for _ in range(consumers.MOST_MISTAKES - 1):
                error = await client.ask("{nonsense")
                assert error.keys() == {"type", "code", "detail"}
                assert (error["type"], error["code"]) == ("error", "VALIDATION_ERROR")
            await client.say("{nonsense")
            said, code, reason = await client.ended()
            assert ([message["type"] for message in said], code) == (["error"], 1008)
            assert reason
            assert hub.size == 0

    run(story)


@pytest.mark.parametrize(
    ("event", "error", "code"),
    [
        ({"bytes": b"\x00\x01"}, "VALIDATION_ERROR", 1003),
        ({"oversized": True}, "PAYLOAD_TOO_LARGE", 1009),
    ],
)
def test_what_is_no_text_or_too_long_ends_the_connection(event: dict[str, Any], error: str, code: int) -> None:
    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            await client.event(**event)
            await client.say("ping")  # is not answered any more
            said, closed_with, _reason = await client.ended()
            assert ([message["code"] for message in said], closed_with) == ([error], code)

    run(story)


def test_a_flood_of_messages_ends_the_connection() -> None:
    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            for _ in range(2 * consumers.MOST_A_SECOND + 2):
                await client.say("ping")
            said, code, _reason = await client.ended()
            assert said[-1]["code"] == "RATE_LIMIT_EXCEEDED"
            assert code == 1008

    run(story)


def test_more_clients_than_there_is_room_for_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "MOST_CONNECTIONS", 1)

    async def story() -> None:
        async with Client() as client:
            await client.hear("snapshot")
            second = Client()
            assert await second.open()
            said, code, _reason = await second.ended()
            assert ([message["code"] for message in said], code) == (["SERVICE_BUSY"], 1013)

    run(story)


# From where


@pytest.mark.parametrize(
    "origin",
    ["", f"http://{HOST}", "http://localhost:3000", "https://127.0.0.1", "https://dashboard.example.org"],
)
def test_programs_and_pages_of_allowed_hosts_are_welcome(origin: str) -> None:
    policy.declare(cors_origins=["https://dashboard.example.org"])

    async def story() -> None:
        async with Client(origin=origin) as client:
            assert await client.ask("ping") in ({"type": "pong"}, await client.hear("snapshot"))

    run(story)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://localhost.evil.example",
        "http://evil-localhost",
        "http://localhost@evil.example",
        "http://evil.example#localhost",
        "https://dashboard.example.org.evil.example",
        "http://dashboard.example.org",
        "file://",
        "http://[",
        "localhost",
        "chrome-extension://localhost",
    ],
)
def test_pages_from_elsewhere_are_refused_before_anything_is_said(origin: str) -> None:
    policy.declare(cors_origins=["https://dashboard.example.org"])

    async def story() -> None:
        assert not await Client(origin=origin).open()

    run(story)


def test_a_foreign_host_is_refused() -> None:
    async def story() -> None:
        assert not await Client(host="evil.example").open()
        assert not await Client(host="evil.example", origin="http://evil.example").open()

    run(story)


def test_where_every_host_is_allowed_only_pages_of_the_very_address_are(settings: Settings) -> None:
    settings.ENVIRONMENT_HOSTS = ["*"]

    async def story() -> None:
        assert await Client(host="oxide.example", origin="http://oxide.example").open()
        assert await Client(host="oxide.example", origin="https://oxide.example:443").open()
        assert not await Client(host="oxide.example", origin="http://evil.example").open()
        assert not await Client(host="oxide.example", origin="http://oxide.example:3000").open()

    run(story)


# Who


@pytest.fixture
def guarded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AUTH_ENABLED = True
    monkeypatch.setattr(consumers, "AUTH_SECONDS", 0.5)
    monkeypatch.setattr(consumers, "CHECK_SECONDS", 0.2)


def viewer(name: str = "vera") -> User:
    user = User.objects.create_user(name, password="a long password")
    user.groups.add(Group.objects.get_or_create(name="viewer")[0])
    return user


def key(*scopes: str, **fields: Any) -> str:
    return make_key(fields.pop("name", "script"), *map(Scope, scopes), **fields)


def test_a_token_comes_as_a_subprotocol(guarded: None) -> None:
    token = tokens.issue(viewer()).access

    async def story() -> None:
        async with Client(protocols=["oxide", f"bearer.{token}"]) as client:
            assert client.protocol == "oxide"  # and the token is not said back
            await client.hear("snapshot")

    run(story)


def test_a_key_for_programs_comes_as_the_first_message(guarded: None) -> None:
    secret = key("read")

    async def story() -> None:
        async with Client() as client:
            assert (await client.ask({"type": "subscribe", "topics": ["tasks"]}))["code"] == "UNAUTHORIZED"
            assert await client.ask("ping") == {"type": "pong"}
            answer = await client.ask({"type": "auth", "token": secret})
            assert answer == {"type": "authenticated", "name": "script", "kind": "key"}
            await client.hear("snapshot")
            await asyncio.sleep(1)  # longer than anonymous clients may stay, and looked at several times since
            assert await client.ask("ping") == {"type": "pong"}

    run(story)


def test_who_does_not_say_who_they_are_is_told_nothing_and_sent_away(guarded: None) -> None:
    async def story() -> None:
        client = Client()
        assert await client.open()
        events.metrics({"secret": 1})
        said, code, _reason = await client.ended()
        assert ([message["code"] for message in said], code) == (["UNAUTHORIZED"], 4401)

    run(story)


@pytest.mark.parametrize("token", ["ox-nope_nope", "abc", "a.b.c", "x" * 5000])
def test_a_token_that_is_not_valid_is_refused_either_way(guarded: None, token: str) -> None:
    async def story() -> None:
        client = Client(protocols=["oxide", f"bearer.{token}"])
        assert await client.open()
        said, code, _reason = await client.ended()
        assert ([message["code"] for message in said], code) == (["UNAUTHORIZED"], 4401)
        client = Client()
        assert await client.open()
        await client.say({"type": "auth", "token": token})
        said, code, _reason = await client.ended()
        assert ([message["code"] for message in said], code) == (["UNAUTHORIZED"], 4401)
        assert token not in json.dumps(said)

    run(story)


def test_a_key_that_may_neither_read_nor_execute_is_refused(guarded: None) -> None:
    secret = key("admin")

    async def story() -> None:
        client = Client(protocols=["oxide", f"bearer.{secret}"])
        assert await client.open()
        said, code, _reason = await client.ended()
        assert ([message["code"] for message in said], code) == (["FORBIDDEN"], 4403)

    run(story)


def test_an_ownerless_key_is_refused_with_advice(guarded: None) -> None:
    secret = key(*Scope, owner=None)

    async def story() -> None:
        client = Client(protocols=["oxide", f"bearer.{secret}"])
        assert await client.open()
        said, code, _reason = await client.ended()
        assert code == 4401
        assert "no owner" in said[0]["detail"]

    run(story)


# Whose tasks


def caller_of(name: str) -> str:
    return f"key:{ClientKey.objects.get(name=name).pk}"


def running(caller: str | None, **fields: Any) -> Task:
    return Task(status=Status.RUNNING, task_type="general", started_at=timezone.now(), caller=caller, **fields)


def test_a_key_without_read_is_told_of_its_own_open_tasks_alone(guarded: None) -> None:
    mine, others = key("execute", name="mine"), key("execute", "read", name="others")
    Service.objects.create(name="echo", type="builtin")
    own = stored(Status.QUEUED, caller=caller_of("mine"))
    young = running(caller_of("mine"))
    for caller in (caller_of("others"), None):
        stored(Status.QUEUED, caller=caller)
        tracker.begin(running(caller))
    tracker.begin(young)

    async def story() -> None:
        async with Client(protocols=["oxide", f"bearer.{mine}"]) as client:
            data = (await client.hear())["data"]
            assert [task["task_id"] for task in data["tasks"]] == [str(young.pk), str(own.pk)]
            assert data == {"services": {}, "metrics": None, "tasks": data["tasks"], "more_tasks": False}
        async with Client(protocols=["oxide", f"bearer.{others}"]) as client:
            data = (await client.hear())["data"]
            assert len(data["tasks"]) == 6
            assert data["services"].keys() == {"echo"}

    run(story)


def test_a_key_without_read_hears_of_its_own_tasks_alone_whatever_it_subscribes_to(guarded: None) -> None:
    secret = key("execute", name="mine")
    key("execute", name="other")
    mine, foreign, unowned = running(caller_of("mine")), running(caller_of("other")), running(None)
    ended = stored(Status.COMPLETED, caller=caller_of("other"))

    async def story() -> None:
        async with Client(protocols=["oxide", f"bearer.{secret}"]) as client:
            await client.hear("snapshot")
            for task in (mine, foreign, unowned):
                tracker.begin(task)
                events.task_delta(task, "earlier")
            answer = await client.ask({"type": "subscribe", "topics": ["services", "metrics", "tasks"]})
            assert answer["topics"] == ["tasks"]
            assert "scope read" in answer["detail"]
            for task in (foreign, unowned, ended):
                answer = await client.ask({"type": "subscribe", "task_id": str(task.pk)})
                assert str(task.pk) in answer["task_ids"]  # as with the id of a task that is not there
            assert await client.is_silent()
            await client.ask({"type": "subscribe", "task_id": str(mine.pk)})
            assert [(await client.hear())["type"] for _ in range(2)] == ["task_progress", "task_delta"]
            for task in (foreign, unowned, mine):
                events.task_delta(task, "secret")
                events.task_progress(task)
            events.metrics({"tasks": {}})
            events.service_status("echo", {"healthy": True, "enabled": True})
            told = [await client.hear() for _ in range(2)]
            assert {(event["type"], event["task_id"]) for event in told} == {
                ("task_delta", str(mine.pk)),
                ("task_progress", str(mine.pk)),
            }
            assert await client.ask("ping") == {"type": "pong"}
            assert await client.is_silent()

    run(story)


def test_a_key_that_loses_the_scope_read_hears_no_more_of_others(guarded: None) -> None:
    secret = key("read", "execute", name="mine")
    key("execute", name="other")
    mine, foreign = running(caller_of("mine")), running(caller_of("other"))

    def grant(*scopes: str) -> None:
        made = ClientKey.objects.get(name="mine")
        made.scopes = list(scopes)
        made.save()
        connection.close()

    async def story() -> None:
        async with Client(protocols=["oxide", f"bearer.{secret}"]) as client:
            await client.hear("snapshot")
            await client.ask({"type": "subscribe", "task_id": str(foreign.pk)})
            events.task_progress(foreign)
            assert (await client.hear())["task_id"] == str(foreign.pk)
            await asyncio.to_thread(grant, "execute")
            await asyncio.sleep(0.6)
            events.task_delta(foreign, "secret")
            events.task_progress(foreign)
            events.task_progress(mine)
            assert (await client.hear())["task_id"] == str(mine.pk)
            await asyncio.to_thread(grant, "execute", "read")
            assert (await client.hear())["type"] == "snapshot"  # of what it did not hear meanwhile
            events.task_progress(foreign)
            assert (await client.hear("task_progress"))["task_id"] == str(foreign.pk)

    run(story)


def test_another_token_on_the_same_connection_hears_of_its_own_tasks(guarded: None) -> None:
    first, second = key("execute", name="first"), key("execute", name="second")
    tasks = {name: running(caller_of(name)) for name in ("first", "second")}
    waiting = stored(Status.QUEUED, caller=caller_of("second"))
    directory.current()  # events are published from threads that may read the database; here it is the event loop

    async def story() -> None:
        async with Client(protocols=["oxide", f"bearer.{first}"]) as client:
            await client.hear("snapshot")
            assert (await client.ask({"type": "auth", "token": second}))["name"] == "second"
            assert [task["task_id"] for task in (await client.hear("snapshot"))["data"]["tasks"]] == [str(waiting.pk)]
            for task in tasks.values():
                events.task_progress(task)
            assert (await client.hear("task_progress"))["task_id"] == str(tasks["second"].pk)
            assert await client.is_silent()

    run(story)


@pytest.mark.parametrize("name", ["token", "access_token", "api-key", "Authorization"])
def test_a_token_in_the_address_is_refused_even_if_it_is_valid(guarded: None, name: str) -> None:
    secret = key("read")

    async def story() -> None:
        client = Client(f"/ws?{name}={secret}")
        assert await client.open()
        said, code, _reason = await client.ended()
        assert (len(said), code) == (1, 4400)
        assert secret not in json.dumps(said)

    run(story)


def test_a_page_of_ours_needs_no_token_when_somebody_is_logged_in(guarded: None) -> None:
    browser = Browser()
    browser.force_login(viewer())
    cookie = f"sessionid={browser.cookies['sessionid'].value}"

    async def story() -> None:
        async with Client(origin=f"http://{HOST}", cookie=cookie) as client:
            await client.hear("snapshot")
        # A page on another port of the same host gets the cookie sent along, too.
        foreign = Client(origin="http://localhost:3000", cookie=cookie)
        assert await foreign.open()
        assert (await foreign.ended())[1] == 4401

    run(story)


def test_a_connection_does_not_outlive_its_key(guarded: None) -> None:
    secret = key("read")

    def disable() -> None:
        made = ClientKey.objects.get()
        made.enabled = False
        made.save()
        connection.close()

    async def story() -> None:
        client = Client(protocols=["oxide", f"bearer.{secret}"])
        assert await client.open()
        await client.hear("snapshot")
        await asyncio.to_thread(disable)
        said, code, _reason = await client.ended()
        assert (said[-1]["code"], code) == ("UNAUTHORIZED", 4401)
        assert hub.size == 0

    run(story)


def test_a_connection_does_not_outlive_its_session(guarded: None) -> None:
    browser = Browser()
    browser.force_login(viewer())
    cookie = f"sessionid={browser.cookies['sessionid'].value}"

    def log_out() -> None:
        browser.logout()
        connection.close()

    async def story() -> None:
        client = Client(origin=f"http://{HOST}", cookie=cookie)
        assert await client.open()
        await client.hear("snapshot")
        await asyncio.to_thread(log_out)
        assert (await client.ended())[1] == 4401

    run(story)


def test_another_token_can_take_the_place_of_one_that_runs_out(guarded: None) -> None:
    first, user = key("read"), viewer()
    second = tokens.issue(user).access

    def disable() -> None:
        ClientKey.objects.all().delete()
        connection.close()

    async def story() -> None:
        async with Client(protocols=["oxide", f"bearer.{first}"]) as client:
            await client.hear("snapshot")
            answer = await client.ask({"type": "auth", "token": second})
            assert (answer["type"], answer["name"]) == ("authenticated", "vera")
            await asyncio.to_thread(disable)
            await asyncio.sleep(0.6)
            assert await client.ask("ping") == {"type": "pong"}

    run(story)


def stored(status: Status, **fields: Any) -> Task:
    task = Task(status=status, task_type="general", prompt="Fine.", **fields)
    store([task])
    return task
