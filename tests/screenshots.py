"""Pictures of the dashboard as people see it: `python -m tests.screenshots` writes them to var/screenshots.

Each page at 1280 and 375 pixels, light and dark, of an Oxide that has something to show, and of one on its first day.
Those that README.md and the guides show are written to docs/screenshots, as much of them as a window shows.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import requests
from playwright.sync_api import Browser, Page, sync_playwright

from tests import canary
from tests.fake_provider import FakeProvider
from tests.live import ROOT, LiveOxide
from tests.programs import program

logger = logging.getLogger("screenshots")

FOLDER = ROOT / "var" / "screenshots"
SHOWN = ROOT / "docs" / "screenshots"
SHOWN_PAGES = ("now", "try", "routing", "costs")
WIDTHS = (1280, 375)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PRICE = {"input_per_million": 3, "output_per_million": 15}
ADMIN = {
    "admin": "/admin/",
    "admin-services": "/admin/services/service/",
    "admin-service": "/admin/services/service/add/",
    "admin-rules": "/admin/routing/routingrule/",
    "admin-rule": "/admin/routing/routingrule/add/",
    "admin-tasks": "/admin/tasks/task/",
    "admin-keys": "/admin/apikeys/providerkey/",
}
ANSWER = (
    "Quantum computing uses qubits, which can be in many states at once.\n\n"
    "1. A qubit is read as 0 or 1.\n2. Until then it is both, with a weight for each.\n3. Gates change the weights.\n\n"
    "So a few hundred qubits hold more states than there are atoms in the universe."
)
RULES: list[dict[str, Any]] = [
    {"id": "rule-1", "task_type": "code_generation", "service": "anthropic", "priority": 1},
    {"id": "rule-2", "task_type": "code_generation", "service": "openai", "model": "gpt-6-sol", "priority": 2},
    {"id": "rule-3", "task_type": "chat", "service": "openrouter", "priority": 10, "weight": 2},
    {"id": "rule-4", "task_type": "chat", "service": "ollama_local", "priority": 10},
    {"id": "rule-5", "task_type": "chat", "service": "lmstudio", "priority": 20, "enabled": False},
]
# What was spent in the 40 days before, more on some than on others.
EARLIER = """
import time
from monitoring.models import DAY, Rollup
today = int(time.time()) // 60 // DAY * DAY
BASES = [("openrouter", "anthropic/claude-sonnet-5.5", "reported"), ("anthropic", "claude-sonnet-5-5", "computed"),
         ("openrouter", "anthropic/claude-sonnet-5.5", "estimated"), ("groq", "openai/gpt-oss-120b", "unknown")]
for ago in range(1, 41):
    for number, (service, model, basis) in enumerate(BASES):
        size = (ago * 7 + number * 5) % 11 + (ago % 7 > 1) * 12
        if ago % 9 and size > number * 4:
            Rollup.objects.create(
                period=today - ago * DAY, service=service, model=model, task_type=["chat", "analysis"][ago % 2],
                status="completed", cost_basis=basis, attempts=size, prompt_tokens=size * 900,
                completion_tokens=size * 400, cost_nanodollars=0 if basis == "unknown" else size * 8_700_000)
"""


# Tasks that have ended in the last hour, more and fewer in turn.
AN_HOUR = """
from datetime import timedelta
from math import sin
from django.utils import timezone
from tasks.models import Attempt, Task
from tasks.storing import store
for ago in range(1, 60):
    ended = timezone.now() - timedelta(minutes=ago)
    for number in range(round(6 + 4 * sin(ago / 6))):
        failed = (ago * 7 + number) % 29 == 0
        took = timedelta(milliseconds=700 + 300 * sin(ago / 9) + 40 * number)
        status, name = ("failed", "") if failed else ("completed", "anthropic")
        figures = {"prompt_tokens": 120, "completion_tokens": 300 + 10 * ago, "cost_nanodollars": 4_000_000}
        figures |= {"cost_basis": "computed", "status": status}
        times = {"created_at": ended - took, "started_at": ended - took, "completed_at": ended}
        said = {"prompt": "Compare two databases.", "task_type": "analysis", "service_used": name}
        task = Task(**said, **times, **figures)
        figures |= {"latency_ms": took.total_seconds() * 1000, "started_at": ended - took}
        store([task], [Attempt(task=task, number=1, service="anthropic", model="claude", **figures)])
"""


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for folder in (FOLDER, SHOWN):
        folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, FakeProvider() as provider:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=arguments)
        with busy(provider) as oxide:
            failed = oxide.get("/api/tasks/history/?task_type=translation&limit=1").json()["tasks"][0]["id"]
            shoot(browser, oxide, "now", "/", settle)
            shoot(browser, oxide, "try", "/try", try_one)
            shoot(browser, oxide, "side-by-side", "/try", compare)
            shoot(browser, oxide, "history", "/history", loaded)
            shoot(browser, oxide, "task", f"/history/{failed}", loaded)
            shoot(browser, oxide, "routing", "/routing", explain_one)
            shoot(browser, oxide, "costs", "/costs", loaded)
            shoot(browser, oxide, "keys", "/keys", ask_one)
            for name, path in ADMIN.items():
                shoot(browser, oxide, name, f"/admin/login/?next={path}", partial(log_in, oxide))
        with first_day() as oxide:
            shoot(browser, oxide, "first-day", "/", lambda page: page.locator("#help").wait_for(timeout=20_000))
            for name in ("routing", "costs", "keys"):
                shoot(browser, oxide, f"first-day-{name}", f"/{name}", loaded)
            shoot(browser, oxide, "admin-first-day", "/admin/login/?next=/admin/", partial(log_in, oxide))
            shoot(browser, oxide, "login", "/login", lambda page: page.get_by_label("Username").wait_for())
        browser.close()


@contextmanager
def busy(provider: FakeProvider) -> Iterator[LiveOxide]:
    """Services that are well, ill and without a key; a history; tasks that run."""
    provider.say(text=ANSWER)
    with live() as oxide:
        declare(oxide, provider, "openrouter", "openai", model="anthropic/claude-sonnet-5.5", price=PRICE)
        declare(oxide, provider, "anthropic", "anthropic", model="claude-sonnet-5-5", price=PRICE)
        declare(oxide, provider, "ollama_local", "ollama", model="llama2", price=dict.fromkeys(PRICE, 0))
        oxide.declare("lmstudio", "http://127.0.0.1:9/v1", api="openai", model="openai/gpt-oss-20b", default=False)
        oxide.declare("openai", "http://127.0.0.1:9/v1", api="openai", api_key_env="SCREENSHOT_KEY", model="gpt-6-luna")
        declare(oxide, provider, "groq", "openai", model="openai/gpt-oss-120b", api_key_env="SCREENSHOT_GROQ_KEY")
        oxide.environment["SCREENSHOT_GROQ_KEY"] = canary.provider_key("groq")
        oxide.config["services"]["groq"]["capabilities"] = ["chat", "translation"]
        oxide.config["routing"]["rules"] = RULES
        oxide.start()
        oxide.run("shell", "-c", EARLIER)
        oxide.run("shell", "-c", AN_HOUR)
        provider.misbehave("status", service="openrouter", status=500, times=2)
        for number in range(14):
            oxide.execute(prompt=f"Explain quantum computing to somebody who is {number + 8}.")
        oxide.execute(prompt="Write a function that reverses a list.", task_type="code_generation")
        for api in ("openrouter", "anthropic", "ollama_local"):
            provider.misbehave("status", service=api, status=503, times=1)
        oxide.execute(prompt="Guten Morgen, wie geht es dir?", task_type="translation")
        provider.pace(0.4, service="anthropic")
        for _ in range(2):
            oxide.execute(prompt="Compare two databases.", service="anthropic", background=True)
        yield oxide


def declare(oxide: LiveOxide, provider: FakeProvider, name: str, api: str, **fields: Any) -> None:
    oxide.declare(name, provider.base_url(api, service=name), api=api, max_retries=0, **fields)


@contextmanager
def first_day() -> Iterator[LiveOxide]:
    with live() as oxide:
        oxide.declare("ollama_local", "http://127.0.0.1:9", api="ollama", model="llama2")
        oxide.declare("openrouter", "http://127.0.0.1:9/v1", api="openai", api_key_env="SCREENSHOT_KEY")
        oxide.start()
        yield oxide


@contextmanager
def live() -> Iterator[LiveOxide]:
    with tempfile.TemporaryDirectory() as folder:
        oxide = LiveOxide(Path(folder))
        try:
            yield oxide
        finally:
            oxide.kill()


def shoot(browser: Browser, oxide: LiveOxide, name: str, path: str, prepare: Callable[[Page], object]) -> None:
    for width in WIDTHS:
        for scheme in SCHEMES:
            page = browser.new_page(
                base_url=oxide.url, viewport={"width": width, "height": 900}, color_scheme=scheme, device_scale_factor=1
            )
            feed = threading.Thread(target=keep_busy, args=(oxide.url,), daemon=True)
            feed.start()
            page.goto(path)
            prepare(page)
            target = FOLDER / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=target, full_page=True)
            logger.info(target.relative_to(ROOT))
            if name in SHOWN_PAGES and width == max(WIDTHS):
                page.screenshot(path=SHOWN / f"{name}-{scheme}.png")
            page.close()


def keep_busy(url: str) -> None:
    """Some tasks that run while a picture is taken; where nothing is to be busy with, they are refused."""
    for _ in range(2):
        body = {"prompt": "Compare two databases.", "service": "anthropic", "background": True}
        requests.post(f"{url}/api/tasks/execute/", json=body, timeout=10)


def settle(page: Page) -> None:
    page.get_by_text("Live", exact=True).wait_for()
    page.locator("#services tbody tr").first.wait_for()
    time.sleep(12)  # until there are figures to draw


def try_one(page: Page) -> None:
    page.get_by_label("Prompt").fill("Explain quantum computing in three points.")
    page.get_by_label("Task type").select_option("code_generation")
    page.get_by_role("button", name="Send").click()
    page.locator("#outcome .state.good").wait_for()


def log_in(oxide: LiveOxide, page: Page) -> None:
    """Into the admin pages."""
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(oxide.admin_password)
    page.get_by_role("button", name="Log in").click()
    page.locator("#user-tools").wait_for()


def compare(page: Page) -> None:
    page.get_by_label("Prompt").fill("Explain quantum computing in three points.")
    for service in ("openrouter", "ollama_local", "lmstudio"):
        page.get_by_role("checkbox", name=service).check()
    page.get_by_role("button", name="Send").click()
    page.locator("#columns .state.good").nth(1).wait_for()
    page.locator("#columns .facts").nth(1).wait_for()


def loaded(page: Page) -> None:
    page.locator("[aria-busy=false]").first.wait_for(state="attached")


def explain_one(page: Page) -> None:
    page.locator("html[data-ready=true]").wait_for(state="attached")
    page.get_by_label("Prompt").fill("Write a function that reverses a list.")
    page.get_by_role("button", name="Explain").click()
    page.locator("#told").wait_for()


def ask_one(page: Page) -> None:
    page.get_by_role("button", name="Test the key of groq").click()
    page.get_by_text("API key is valid").wait_for()


if __name__ == "__main__":
    main()
