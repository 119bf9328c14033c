"""Pictures of the dashboard as people see it: `make screenshots` writes them to var/screenshots.

Each page at 1280 and 375 pixels, light and dark, of an Oxide that has something to show, and of one on its first day.
Those that README.md and the guides show are written to docs/screenshots as well. A part of them, elsewhere:
`python -m tests.screenshots now costs --width 1280 --scheme light --into /tmp/pictures`.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests import canary
from tests.fake_provider import FakeProvider
from tests.live import ROOT, LiveOxide
from tests.programs import program
from tests.waiting import wait_until

logger = logging.getLogger("screenshots")

FOLDER = ROOT / "var" / "screenshots"
SHOWN = ROOT / "docs" / "screenshots"
# As high as a window, or, where what is promised of the page stands further down, as the page.
SHOWN_PAGES: Mapping[str, Literal["window", "page"]] = {
    "now": "page",
    "try": "window",
    "routing": "window",
    "costs": "window",
}
WIDTHS = (1280, 375)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pictures, and where to. `shown` is where those for readers go, if they are made."""

    names: frozenset[str]
    widths: tuple[int, ...]
    schemes: tuple[Scheme, ...]
    folder: Path
    shown: Path | None

    def any_of(self, names: Mapping[str, object]) -> bool:
        return not self.names or not self.names.isdisjoint(names)


Prepare = Callable[[LiveOxide, Page], object]


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    wanted = read_arguments()
    with sync_playwright() as playwright, FakeProvider() as provider:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=arguments)
        if wanted.any_of(BUSY):
            with busy(provider) as oxide:
                for name, (path, prepare) in BUSY.items():
                    shoot(browser, oxide, wanted, name, path, prepare)
                    if name == "now":
                        let_all_end(oxide)
                        provider.pace(0.02, service="anthropic")
        if wanted.any_of(FIRST_DAY):
            with first_day() as oxide:
                for name, (path, prepare) in FIRST_DAY.items():
                    shoot(browser, oxide, wanted, name, path, prepare)
        browser.close()


def read_arguments() -> Wanted:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description="Take pictures of the pages.")
    parser.add_argument("names", nargs="*", help=f"which; all where none is named: {', '.join([*BUSY, *FIRST_DAY])}")
    parser.add_argument("--width", type=int, help="one width in pixels, in place of 1280 and 375")
    parser.add_argument("--scheme", choices=SCHEMES, help="one of both")
    parser.add_argument("--into", type=Path, help="another folder; docs/screenshots is left alone then")
    asked = parser.parse_args()
    if unknown := set(asked.names) - {*BUSY, *FIRST_DAY}:
        parser.error(f"there is no picture {', '.join(sorted(unknown))}")
    wanted = Wanted(
        names=frozenset(asked.names),
        widths=(asked.width,) if asked.width else WIDTHS,
        schemes=(asked.scheme,) if asked.scheme else SCHEMES,
        folder=asked.into or FOLDER,
        shown=None if asked.into else SHOWN,
    )
    for folder in (wanted.folder, wanted.shown):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    return wanted


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
        yield oxide


def let_all_end(oxide: LiveOxide) -> None:
    """The other pages show a history in which tasks have ended."""
    for task in oxide.get("/api/tasks/history/?status=running").json()["tasks"]:
        oxide.post(f"/api/tasks/{task['id']}/cancel/")
    wait_until(lambda: oxide.get("/api/tasks/history/?status=running").json()["total"] == 0)


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


def shoot(browser: Browser, oxide: LiveOxide, wanted: Wanted, name: str, path: str, prepare: Prepare) -> None:
    if wanted.names and name not in wanted.names:
        return
    for width in wanted.widths:
        for scheme in wanted.schemes:
            page = browser.new_page(
                base_url=oxide.url, viewport={"width": width, "height": 900}, color_scheme=scheme, device_scale_factor=1
            )
            page.add_init_script(f"sessionStorage.setItem('oxide.samples', JSON.stringify({hour_of_tasks()}))")
            page.route("**/api/monitoring/series/", with_a_machine)
            page.goto(path.format(task=failed_task(oxide)) if "{" in path else path)
            prepare(oxide, page)
            page.screenshot(path=wanted.folder / f"{name}-{width}-{scheme}.png", full_page=True)
            if wanted.shown and name in SHOWN_PAGES and width == max(WIDTHS):
                page.screenshot(path=wanted.shown / f"{name}-{scheme}.png", full_page=SHOWN_PAGES[name] == "page")
            logger.info("%s-%d-%s", name, width, scheme)
            page.close()


def failed_task(oxide: LiveOxide) -> str:
    return str(oxide.get("/api/tasks/history/?task_type=translation&limit=1").json()["tasks"][0]["id"])


# What a process knows of an hour in which it did not run yet is made up, as its tasks are.


def hour_of_tasks() -> str:
    now = time.time() * 1000
    return json.dumps([[now - ago * 15_000, round(2.5 + 2 * math.sin(ago / 13))] for ago in range(230, 0, -1)])


def with_a_machine(route: Route) -> None:
    answer = route.fetch()
    hour = answer.json()
    for number, point in enumerate(hour["points"]):
        point["cpu_percent"] = point["cpu_percent"] or round(34 + 16 * math.sin(number / 7), 1)
        point["memory_percent"] = point["memory_percent"] or round(52 + 3 * math.sin(number / 20), 1)
    route.fulfill(response=answer, json=hour)


def at_work(oxide: LiveOxide, page: Page) -> None:
    """Some tasks that run, one of which ends meanwhile."""
    page.get_by_text("Live", exact=True).wait_for()
    page.locator("#services tbody tr").first.wait_for()
    let_all_end(oxide)
    for service in ("openrouter", "anthropic", "anthropic"):
        oxide.execute(prompt="Compare two databases.", task_type="analysis", service=service, background=True)
    page.locator("#tasks .state.good").wait_for()
    page.get_by_text("≈").first.wait_for()
    page.locator("#rate").filter(has_text=re.compile(r"\d")).wait_for()
    # Told every five seconds, unlike the tasks themselves.
    page.locator("#running").filter(has_text=re.compile("^2$")).wait_for()


def try_one(_oxide: LiveOxide, page: Page) -> None:
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


def compare(_oxide: LiveOxide, page: Page) -> None:
    page.get_by_label("Prompt").fill("Explain quantum computing in three points.")
    for service in ("openrouter", "ollama_local", "lmstudio"):
        page.get_by_role("checkbox", name=service).check()
    page.get_by_role("button", name="Send").click()
    page.locator("#columns .state.good").nth(1).wait_for()
    page.locator("#columns .facts").nth(1).wait_for()


def loaded(_oxide: LiveOxide, page: Page) -> None:
    page.locator("[aria-busy=false]").first.wait_for(state="attached")


def explain_one(_oxide: LiveOxide, page: Page) -> None:
    page.locator("html[data-ready=true]").wait_for(state="attached")
    page.get_by_label("Prompt").fill("Write a function that reverses a list.")
    page.get_by_role("button", name="Explain").click()
    page.locator("#told").wait_for()


def ask_one(_oxide: LiveOxide, page: Page) -> None:
    page.get_by_role("button", name="Test the key of groq").click()
    page.get_by_text("API key is valid").wait_for()


def helped(_oxide: LiveOxide, page: Page) -> None:
    page.locator("#help").wait_for()


def asked_to_log_in(_oxide: LiveOxide, page: Page) -> None:
    page.get_by_label("Username").wait_for()


# The path and what is done there first, by the name of the picture.
BUSY: dict[str, tuple[str, Prepare]] = {
    "now": ("/", at_work),
    "try": ("/try", try_one),
    "side-by-side": ("/try", compare),
    "history": ("/history", loaded),
    "task": ("/history/{task}", loaded),
    "routing": ("/routing", explain_one),
    "costs": ("/costs", loaded),
    "keys": ("/keys", ask_one),
    **{name: (f"/admin/login/?next={path}", log_in) for name, path in ADMIN.items()},
}
FIRST_DAY: dict[str, tuple[str, Prepare]] = {
    "first-day": ("/", helped),
    **{f"first-day-{name}": (f"/{name}", loaded) for name in ("routing", "costs", "keys")},
    "admin-first-day": ("/admin/login/?next=/admin/", log_in),
    "login": ("/login", asked_to_log_in),
}


if __name__ == "__main__":
    main()
