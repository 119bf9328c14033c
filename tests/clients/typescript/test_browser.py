"""The client in a page of another site, in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import open_browser
from tests.documents import blocks_of
from tests.fake_provider import TEXT, FakeProvider
from tests.live import LiveOxide
from tests.typescript import PAGE, SCRIPTS, Workspace
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("node"),
    pytest.mark.timeout(400),
    pytest.mark.usefixtures("oxide"),
]

SITE = "http://app.example.com"
FOLLOW = """async () => {
  const { Oxide } = await import('./oxide-client/index.js');
  const client = new Oxide('http://localhost:8000');
  const { task_id } = await client.startTask('Explain quantum computing', 'chat', { service: 'first' });
  const events = client.events({ topics: [], tasks: [task_id] });
  let pieces = 0;
  for await (const event of events) {
    if (event.type === 'task_delta') pieces += 1;
    if (event.type === 'task_progress' && event.progress === 100) break;
  }
  return [events.textOf(task_id), pieces];
}"""
FAIL = """async () => {
  const { Oxide, RateLimitError, ProviderError } = await import('./oxide-client/index.js');
  const client = new Oxide('http://localhost:8000');
  const error = await client.executeTask('Hello', 'chat', { service: 'failing' }).catch((error) => error);
  return [error instanceof ProviderError, error.attempts.length];
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def site(
    workspace: Workspace, shared_oxide: LiveOxide, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The page of the documentation with the client beside it, and what its addresses stand for."""
    folder = tmp_path_factory.mktemp("site")
    (page,) = blocks_of(PAGE, "html")
    (folder / "index.html").write_text(page.code)
    socket = (SCRIPTS / "contract-socket.js").read_text()
    (folder / "socket.html").write_text(f"<!doctype html><title>Socket</title><script>{socket}</script>")
    (folder / "oxide-client").symlink_to(workspace.client / "dist")
    with served(folder) as place:
        yield {"app.example.com": place, "localhost:8000": f"127.0.0.1:{urlsplit(shared_oxide.url).port}"}


@contextmanager
def opened(site: dict[str, str], path: str) -> Iterator[Page]:
    with open_browser(SITE, hosts=site) as page:
        page.goto(path)
        yield page


def test_a_page_shows_a_task_word_by_word_and_hears_live_events(site: dict[str, str], provider: FakeProvider) -> None:
    provider.pace(0.05)
    provider.misbehave("status", service="failing", status=500)
    with opened(site, "/index.html") as page:
        seen = page.evaluate(
            """async (whole) => {
              const answer = document.getElementById('answer');
              const seen = new Set();
              while (answer.textContent.length < whole) {
                seen.add(answer.textContent);
                await new Promise((resolve) => setTimeout(resolve, 10));
              }
              return [...seen];
            }""",
            len(TEXT),
        )
        assert len(seen) > 5
        assert all(TEXT.startswith(text) for text in seen)
        expect(page.locator("#answer")).to_have_text(TEXT)
        expect(page.locator("#connection")).to_have_text("snapshot")

        text, pieces = page.evaluate(FOLLOW)
        assert text == TEXT
        assert pieces > 3
        assert page.evaluate(FAIL) == [True, 1]


def test_a_page_that_is_closed_calls_its_task_off(site: dict[str, str], provider: FakeProvider) -> None:
    provider.pace(0.2)
    with opened(site, "/index.html") as page:
        expect(page.locator("#answer")).not_to_be_empty()
    wait_until(lambda: provider.hangups == 1)


def test_the_contracts_socket_works(site: dict[str, str]) -> None:
    said: list[str] = []
    with open_browser(SITE, hosts=site) as page:
        page.on("console", lambda message: said.append(message.text) if message.type == "log" else None)
        page.goto("/socket.html")
        page.wait_for_function("ws.readyState === WebSocket.OPEN")
        page.evaluate("ws.send('ping')")
        wait_until(lambda: is_said(page, said, "snapshot") and is_said(page, said, "pong"))
    assert said[0] == "Connected to Oxide WebSocket"
    assert all(text.startswith("Received:") for text in said[1:])


def is_said(page: Page, said: list[str], what: str) -> bool:
    page.title()  # what is said on the console is heard while the page is asked for something
    return any(what in text for text in said)
