"""Secrets are planted, everything that Oxide does is done, and everything that comes out of it is searched for them."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import unescape
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests import canary
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.people import bearer
from tests.waiting import wait_until
from tests.watch import watch

VARIABLE = "CANARY_JOURNEY_KEY"
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
MOST_PAGES = 150


class Story:
    """A process with identity on that says all it can say, and the one who asks it for everything."""

    def __init__(self, live: LiveOxide, provider: FakeProvider) -> None:
        self.live = live
        self.provider = provider
        self.environment_key = canary.provider_key("environment", end="-env")
        self.stored_key = watch.learn("stored key", f"sk-st-{secrets.token_hex(16)}-sto", shown="sk-s")
        self.tried_key = canary.provider_key("tried", end="-tri")
        self.password = canary.password("boss")
        self.user_password = canary.password("clerk")
        self.wrong_password = canary.password("wrong")
        # What may be seen, so that the search is seen to find something.
        self.control = f"control-{secrets.token_hex(16)}"
        self.named = f"control-{secrets.token_hex(16)}"
        self.page = requests.Session()
        self.page.trust_env = False
        self.admin: dict[str, str] = {}
        self.program: dict[str, str] = {}
        self.refresh_token = ""

    # The beginning

    def begin(self, store: str) -> None:
        self.live.environment |= {
            "OXIDE_AUTH_ENABLED": "true",
            "OXIDE_LOG_LEVEL": "DEBUG",
            "OXIDE_KEY_STORE": store,
            VARIABLE: self.environment_key,
        }
        url = self.provider.base_url
        fields: dict[str, Any] = {"max_retries": 0}
        self.live.declare("first", url("openai", service="first"), api="openai", api_key_env=VARIABLE, **fields)
        self.live.declare("second", url("anthropic", service="second"), api="anthropic", api_key_env="OTHER", **fields)
        self.live.config["services"][self.named] = {"type": "builtin"}
        self.live.write_config()
        self.live.run("migrate")
        make = (
            f"from django.contrib.auth.models import User; User.objects.create_superuser('boss', '', {self.password!r})"
        )
        self.live.run("shell", "-c", make)
        self.live.start()

    def log_in(self, name: str, password: str) -> dict[str, str]:
        answer = self.live.post("/auth/login", json={"username": name, "password": password})
        assert answer.status_code == 200, answer.text
        pair = answer.json()
        self.refresh_token = pair["refresh_token"]
        return bearer(pair["access_token"])

    def get_credentials(self) -> None:
        self.log_in("boss", self.password)
        answer = self.live.post("/auth/refresh", json={"refresh_token": self.refresh_token})
        self.admin = bearer(answer.json()["access_token"])
        answer = self.live.post("/api/api-keys/clients/", json={"name": "robot"}, headers=self.admin)
        self.program = bearer(answer.json()["key"])

    # Keys, and providers that repeat them

    def enter_keys(self) -> None:
        for path, secret in (("test", self.tried_key), ("update", self.stored_key)):
            body = {"service": "second", "api_key": secret}
            assert self.post(f"/api/api-keys/{path}/", json=body).status_code == 200
        for service, header, expected in (
            ("first", "authorization", f"Bearer {self.environment_key}"),
            ("second", "x-api-key", self.stored_key),
        ):
            self.post(f"/api/services/{service}/test/")
            assert self.execute(service=service).status_code == 200
            assert self.provider.requests_to(service)[-1].headers[header] == expected
            # Oxide's own first check comes when it will: let it not come while the provider is made to refuse.
            wait_until(lambda: self.checks(service, header, expected) >= 2)  # noqa: B023 - waited for here

    def checks(self, service: str, header: str, key: str) -> int:
        asked = self.provider.requests_to(service)
        return sum(request.method == "GET" and request.headers.get(header) == key for request in asked)

    def suffer_providers(self) -> None:
        for service, secret in (("first", self.environment_key), ("second", self.stored_key)):
            echo = {"error": {"message": f"No: {secret}", "type": secret, "code": secret}}
            headers = {"X-Echo": secret, "WWW-Authenticate": f"Bearer {secret}", "Retry-After": secret}
            self.suffer(service, "refuse", why="auth")
            for status in (400, 401, 403, 404, 429, 500, 529):
                self.suffer(service, "status", status=status, body=echo, headers=headers)
            self.suffer(service, "status", status=302, body=echo, headers={"Location": f"/v1/{secret}"})
            for body in (
                f"Bad gateway: {secret}",
                f'{{"choices": "{secret}", "content": "{secret}"',
                f'{{"id": "{secret}"}}',
            ):
                self.suffer(service, "raw", body=body.encode())

    def suffer(self, service: str, fault: str, **details: Any) -> None:
        # A call that goes well in between, or the service would be left alone after some failures.
        self.post(f"/api/services/{service}/test/")
        assert self.execute(service=service).status_code == 200
        self.provider.misbehave(fault, service=service, **details)
        refused = self.execute(service=service)
        assert refused.status_code >= 400
        assert refused.json()["attempts"], "it was not even asked"
        task_id = self.execute(service=service, background=True).json()["task_id"]
        wait_until(lambda: self.task(task_id)["status"] == "failed")
        self.post(f"/api/services/{service}/test/")
        self.post("/api/api-keys/test/", json={"service": service})
        if fault == "refuse":  # the only one that repeats the key it is given, whichever that is
            self.post("/api/api-keys/test/", json={"service": service, "api_key": self.tried_key})
        for path in ("/api/services/", f"/api/services/{service}/", f"/api/api-keys/status/{service}/"):
            self.live.get(path, headers=self.admin)
        self.provider.behave(service)

    # Everything else

    def plant_control(self) -> str:
        answer = self.execute(service="echo", prompt=f"Say {self.control}.", background=True)
        task_id = str(answer.json()["task_id"])
        wait_until(lambda: self.task(task_id)["status"] == "completed")
        self.live.get("/api/tasks/history/", headers=self.admin)
        return task_id

    def task(self, task_id: str) -> Any:
        return self.live.get(f"/api/tasks/{task_id}/", headers=self.admin).json()

    def call_every_route(self, task_id: str) -> None:
        document = self.live.get("/openapi.json").json()
        for page in ("/docs", "/redoc"):
            self.live.get(page)
        nonsense = {
            "service": "second",
            "api_key": [self.tried_key],
            "password": self.wrong_password,
            "token": [self.refresh_token],
        }
        for route in document["paths"]:
            for credentials in ({}, bearer(self.wrong_password), self.program, self.admin):
                for method in METHODS:
                    path = self.path_of(route, task_id)
                    body = None if method in ("GET", "HEAD", "OPTIONS") else nonsense
                    url = f"{self.live.url}{path}"
                    self.live.session.request(method, url, json=body, headers=credentials, timeout=60)

    def path_of(self, route: str, task_id: str) -> str:
        parameters = {
            "model": "second/alpha",
            "name": "second",
            "service": "second",
            "id": task_id if "/tasks/" in route else "987654",
        }
        return re.sub("{(.*?)}", lambda found: parameters[found[1]], route)

    def log_in_wrongly(self) -> None:
        right, wrong = self.password, self.wrong_password
        for body in (
            json.dumps({"username": "boss", "password": wrong}),
            json.dumps({"username": wrong, "password": right}),
            json.dumps({"username": "boss", "password": [right]}),
            json.dumps({"username": "boss", "pasword": right}),
            f'{{"username": "boss", "password": "{right}',
            f'"{right}"',
            f"username=boss&password={right}",
        ):
            answer = self.live.post("/auth/login", data=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 401), body
        form = self.live.post("/auth/login", data={"username": "boss", "password": right})
        assert form.status_code == 415
        for wrong_header in (f"Basic {right}", f"Bearer {right} {right}", self.admin["Authorization"] + "x"):
            self.live.get("/api/services/", headers={"Authorization": wrong_header})

    def reload_wrongly(self) -> None:
        file = self.live.folder / "oxide.yaml"
        before = file.read_text()
        for after in (
            before.replace("api: anthropic", f"api: anthropic\n    api_key: [{self.stored_key}]"),
            before.replace("api: anthropic", f"api: anthropic\n    api_key: '{self.stored_key}"),
            before.replace("api: anthropic", f"api: anthropic\n    api_kei: {self.stored_key}"),
            before.replace("api: anthropic", f"api: {self.stored_key}"),
            before.replace("api_key_env: OTHER", f"api_key_env: {self.stored_key}"),
            before.replace("base_url: http://", f"base_url: http://user:{self.stored_key}@"),
        ):
            assert after != before
            file.write_text(after)
            assert self.post("/api/config/reload/").status_code == 400, after
            self.live.run("reload", check=False)
        file.write_text(before)
        assert self.post("/api/config/reload/").status_code == 200

    # The socket

    def listen(self) -> None:
        token = self.admin["Authorization"].removeprefix("Bearer ")
        with self.connected(subprotocols=["oxide", f"bearer.{token}"]) as connection:
            self.provider.misbehave("refuse", service="second", why="auth")
            self.post("/api/services/second/test/")
            self.execute(service="second", background=True)
            self.hear(connection, '"failed"', '"metrics"')
            self.provider.behave("second")
        for said in (
            json.dumps({"type": "auth", "token": token}),
            json.dumps({"type": "auth", "token": f"{token}x"}),
            json.dumps({"type": token, "token": token}),
            f'{{"type": "auth", "token": "{token}',
        ):
            with self.connected() as connection:
                connection.send(said)
                self.hear(connection, '"snapshot"', '"error"', every=False)
        with self.connected(f"/ws?token={token}") as connection:
            self.hear(connection, "never said")

    @contextmanager
    def connected(self, path: str = "/ws", **options: Any) -> Iterator[ClientConnection]:
        with connect(self.live.url.replace("http://", "ws://") + path, proxy=None, **options) as connection:
            yield connection

    def hear(self, connection: ClientConnection, *texts: str, every: bool = True) -> None:
        """Until all of these were said, or any, or the connection ends."""
        missing = set(texts)
        deadline = time.monotonic() + 30
        with suppress(ConnectionClosed):
            while missing if every else missing == set(texts):
                said = str(connection.recv(deadline - time.monotonic()))
                missing -= {text for text in missing if text in said}

    # The pages

    def look_at_pages(self) -> None:
        refused = self.submit("/admin/login/", username="boss", password=self.wrong_password)
        assert "sessionid" not in self.page.cookies, refused.text
        self.submit("/admin/login/", username="boss", password=self.password, next="/admin/")
        assert "sessionid" in self.page.cookies
        self.add_user()
        self.add_client_key()
        for page, action in (("services/service", "check_now"), ("apikeys/providerkey", "test_now")):
            listed = self.page.get(f"{self.live.url}/admin/{page}/", timeout=60)
            chosen = re.findall(r'name="_selected_action" value="([^"]+)"', listed.text)
            if chosen:
                self.submit(f"/admin/{page}/", action=action, _selected_action=chosen)
        self.follow_links()

    def add_user(self) -> None:
        typed = {"username": "clerk", "role": "operator", "usable_password": "true"}
        other = {"password1": self.user_password, "password2": self.wrong_password}
        assert "clerk" not in self.submit("/admin/auth/user/add/", **typed, **other).url
        same = {"password1": self.user_password, "password2": self.user_password}
        self.submit("/admin/auth/user/add/", **typed, **same)
        self.log_in("clerk", self.user_password)

    def add_client_key(self) -> None:
        self.submit("/admin/apikeys/clientkey/add/", name="robot of the pages", scopes=["read"])

    def submit(self, path: str, **typed: Any) -> requests.Response:
        url = self.live.url + path
        form = self.page.get(url, timeout=60).text
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert found, form
        return self.page.post(url, data={"csrfmiddlewaretoken": found[1], **typed}, timeout=60)

    def follow_links(self) -> None:
        known, ahead = {"/admin/"}, ["/admin/"]
        while ahead and len(known) < MOST_PAGES:
            path = ahead.pop(0)
            text = self.page.get(self.live.url + path, timeout=60).text
            for link in re.findall(r'href="(/admin/[^"#]*)"', text):
                target = unescape(link)
                if target not in known and "/jsi18n/" not in target:
                    known.add(target)
                    # Pages before what filters make of them, of which there are many.
                    ahead.insert(len(ahead) if "?" in target else 0, target)

    # Short ways

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.live.post(path, headers=self.admin, **options)

    def execute(self, **body: Any) -> requests.Response:
        return self.post("/api/tasks/execute/", json={"prompt": "What is quantum computing?", **body})


@pytest.mark.slow
@pytest.mark.parametrize("store", ["file", "database"])
def test_no_secret_comes_out_but_where_it_is_handed_out(live: LiveOxide, provider: FakeProvider, store: str) -> None:
    """The watch over every test fails this one for whatever it finds. Here all is done that could lead to it."""
    story = Story(live, provider)
    with watch.recording() as seen:
        story.begin(store)
        story.get_credentials()
        story.enter_keys()
        story.suffer_providers()
        task_id = story.plant_control()
        story.log_in_wrongly()
        story.reload_wrongly()
        story.listen()
        story.call_every_route(task_id)
        story.look_at_pages()
        watch.note_folder(live.folder / "var")
        assert live.stop() == 0
    places = {place for place, _ in seen}
    assert {"oxide.sqlite3", "oxide.sqlite3-wal", "output.log"} <= places

    # What may be seen is seen: the search finds what there is.
    assert places_of(story.control, seen) >= {
        "GET /api/tasks/history/ 200",
        "GET /api/tasks/*/ 200",
        "GET /admin/tasks/task/ 200",
        "GET /admin/tasks/task/*/change/ 200",
        "oxide.sqlite3",
    }
    assert places_of(story.named, seen) >= {"frame", "output.log", "GET /api/config/ 200"}
    assert "The key of second was changed" in live.log
    handed_out = {place for place, content in seen if {"token", "key for programs"} & watch.kinds_in(content)}
    assert handed_out == {
        "POST /auth/login 200",
        "POST /auth/refresh 200",
        "POST /api/api-keys/clients/ 201",
        "POST /admin/apikeys/clientkey/add/ 200",
    }
    assert (story.stored_key in (live.folder / "oxide.yaml").read_text()) is (store == "file")


def places_of(text: str, seen: list[tuple[str, bytes]]) -> set[str]:
    return {place for place, content in seen if text.encode() in content}
