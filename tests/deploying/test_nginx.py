"""deploy/nginx/oxide.conf in a real nginx, before a real Oxide."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from websockets.sync.client import connect

from tests.deploying.certificates import write_certificate
from tests.docs.pages import DOCS
from tests.documents import blocks_of
from tests.fake_provider import FakeProvider
from tests.live import ROOT, LiveOxide, free_port
from tests.programs import program
from tests.sse import events
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("nginx")

(_BLOCK,) = blocks_of(DOCS / "deploying" / "nginx.md")
SETTINGS = dict(line.split("=", 1) for line in _BLOCK.code.splitlines())
HOST = "localhost"
MAIN = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    {temporary}
    include {folder}/oxide.conf;
}}
"""


class Nginx:
    """The site's file as it is, but for the ports, the name, and where the certificate lies."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self.folder = folder
        self.plain, self.tls = free_port(), free_port()
        self.certificate, key = write_certificate(folder, HOST)
        site = (ROOT / "deploy" / "nginx" / "oxide.conf").read_text()
        for written, meant in {
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.tls} ssl http2;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
            "oxide.example.org": HOST,
            "127.0.0.1:8000": upstream,
            "/etc/ssl/oxide/fullchain.pem": str(self.certificate),
            "/etc/ssl/oxide/privkey.pem": str(key),
        }.items():
            assert written in site, written
            site = site.replace(written, meant)
        (folder / "oxide.conf").write_text(site)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, temporary=temporary))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        as_root = "user root; " if os.geteuid() == 0 else ""  # so that its workers may enter the test's folder
        settings = ["-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-g", f"{as_root}daemon off;"]
        self._process = subprocess.Popen([program("nginx", "/usr/sbin"), *settings], stderr=subprocess.DEVNULL)
        wait_until(self._listens)

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def _listens(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.tls), timeout=5).close()
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def oxide(tmp_path_factory: pytest.TempPathFactory, provider: FakeProvider) -> Iterator[LiveOxide]:
    """Told what docs/deploying/nginx.md says, but for its name; and it asks nobody who they are."""
    program("nginx", "/usr/sbin")
    live = LiveOxide(tmp_path_factory.mktemp("oxide"))
    live.declare("first", provider.base_url("openai", service="first"), api="openai", max_retries=0)
    own = {"OXIDE_ALLOWED_HOSTS": HOST, "OXIDE_AUTH_ENABLED": "false", "OXIDE_RATE_LIMIT_ANON": "1000/h"}
    live.environment |= {**SETTINGS, **own}
    try:
        yield live.start()
    finally:
        live.kill()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, oxide: LiveOxide) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx"), oxide.url.replace("http://localhost", "127.0.0.1"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def https(nginx: Nginx) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(nginx.certificate)
        yield session


def address(nginx: Nginx, path: str) -> str:
    return f"https://{HOST}:{nginx.tls}{path}"


class From(HTTPAdapter):
    """Calls from this address. All of 127.0.0.0/8 are this machine, and only one of them is a trusted proxy."""

    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, source_address=(self._source, 0))


def test_django_has_nothing_to_say_against_what_the_page_sets(live: LiveOxide) -> None:
    live.write_config()
    live.environment |= SETTINGS
    live.run("check", "--deploy", "--fail-level", "WARNING")
    live.environment.pop("OXIDE_HTTPS")
    assert live.run("check", "--deploy", "--fail-level", "WARNING", check=False).returncode != 0


def test_plain_http_is_sent_on_to_tls(nginx: Nginx, https: requests.Session) -> None:
    answer = https.get(f"http://{HOST}:{nginx.plain}/api/services/", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{HOST}/api/services/")


def test_nobody_is_sent_to_another_host_than_the_sites(nginx: Nginx, https: requests.Session) -> None:
    url = f"http://{HOST}:{nginx.plain}/login"
    answer = https.get(url, headers={"Host": "attacker.example"}, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{HOST}/login")


def test_a_task_is_done_and_browsers_are_told_to_stay_with_tls(nginx: Nginx, https: requests.Session) -> None:
    body = {"prompt": "Hello", "service": "echo"}
    answer = https.post(address(nginx, "/api/tasks/execute/"), json=body, timeout=30)
    assert (answer.status_code, answer.json()["result"]) == (200, "Hello")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_each_client_is_counted_by_its_own_address(nginx: Nginx) -> None:
    """What a client claims of itself is not believed: nginx adds whom it saw."""

    def ask(source: str, **headers: str) -> int:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", From(source))
            url = address(nginx, "/api/services/").replace(HOST, "127.0.0.1")
            headers = {"Host": HOST, **headers}
            answer = session.get(url, headers=headers, verify=False, timeout=30)
            return int(answer.headers["X-RateLimit-Remaining"])

    assert ask("127.0.0.2") == 999
    assert ask("127.0.0.3") == 999
    assert ask("127.0.0.2", **{"X-Forwarded-For": "203.0.113.7"}) == 998


def test_a_piece_is_passed_on_at_once_and_so_is_that_its_reader_went(
    nginx: Nginx, oxide: LiveOxide, https: requests.Session, provider: FakeProvider
) -> None:
    provider.misbehave("stall")  # after the first word
    body = {"prompt": "Hello", "service": "first", "stream": True}
    with https.post(address(nginx, "/api/tasks/execute/"), json=body, stream=True, timeout=30) as answer:
        heard = events(answer.iter_lines(chunk_size=1))
        begun = next(heard)[1]
        assert next(heard) == ("delta", {"text": "Quantum"})
    over_tls = {"X-Forwarded-Proto": "https"}

    task = f"/api/tasks/{begun['task_id']}/"
    wait_until(lambda: oxide.get(task, headers=over_tls).json().get("status") == "cancelled")


def test_events_come_over_a_websocket(nginx: Nginx) -> None:
    context = ssl.create_default_context(cafile=str(nginx.certificate))
    with connect(f"wss://{HOST}:{nginx.tls}/ws", ssl=context, proxy=None) as connection:
        connection.send("ping")
        told: Any = ""
        while "pong" not in told:
            told = connection.recv(timeout=30)


def test_a_body_above_the_limit_is_refused(nginx: Nginx, https: requests.Session) -> None:
    answer = https.post(address(nginx, "/api/tasks/execute/"), data=b" " * (21 * 1024 * 1024), timeout=60)
    assert answer.status_code == 413


def test_figures_are_not_for_everybody(nginx: Nginx, https: requests.Session) -> None:
    assert https.get(address(nginx, "/metrics"), timeout=30).status_code == 404
