"""People look at Oxide, try it, stop it and find out what was, in a real browser."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard import (
    assert_nothing_is_cut_off,
    assert_small,
    assert_the_keyboard_reaches_everything,
    browse,
    log_in,
)
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.people import PASSWORD, bearer
from tests.programs import program
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dashboard")]

HOSTILE = (
    '<script>window.hit = 1</script><img src="/x" onerror="window.hit = 2"><svg onload="window.hit = 3"></svg>'
    '<a href="javascript:window.hit = 4">click</a> <style>body { display: none }</style> [x](javascript:window.hit=5)'
    ' <img src="https://evil.example/html.png"> <link rel="stylesheet" href="https://evil.example/html.css">'
    " ![x](https://evil.example/markdown.png) [x](https://evil.example/) <https://evil.example/plain>"
)
PICTURE = "https://evil.example/message.png"
WORDS = tuple(f"word{number} " for number in range(12))
PRICE = {"input_per_million": 3, "output_per_million": 15}


@pytest.fixture
def oxide(live: LiveOxide, provider: FakeProvider) -> LiveOxide:
    live.declare("first", provider.base_url("openai", service="first"), api="openai", price=PRICE, max_retries=0)
    live.declare("second", provider.base_url("anthropic", service="second"), api="anthropic", max_retries=0)
    return live


def open_try(page: Page, query: str = "") -> None:
    page.goto(f"/try{query}")
    page.locator("html[data-ready=true]").wait_for(state="attached")


def ask(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt").fill(prompt)
    page.get_by_role("button", name="Send").click()


def wait_until_well(oxide: LiveOxide, *services: str) -> None:
    """The first check is over: what goes wrong from now on goes wrong in a task."""

    def are_well() -> bool:
        known = oxide.get("/api/services/").json()["services"]
        return all(known[name]["healthy"] for name in services)

    wait_until(are_well)


def fail_once(oxide: LiveOxide, provider: FakeProvider, service: str) -> None:
    wait_until_well(oxide, service)
    provider.misbehave("status", service=service, status=500, times=1)


def is_live(page: Page) -> Locator:
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page.locator("#tasks tbody tr")


def test_every_page_is_small_and_loads_without_errors(oxide: LiveOxide) -> None:
    oxide.start()
    task = oxide.execute().json()["task_id"]
    with browse(oxide) as page:
        shown = {"/": "Live", "/try": "Send", "/history": "1 task", f"/history/{task}": "completed"}
        shown |= {"/routing": "Every task", "/costs": "Cost unknown", "/keys": "No service asks for a key."}
        for path, sign in shown.items():
            assert_small(page, path, sign)


def test_now_shows_services_figures_and_tasks_as_they_go_on(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.say(words=WORDS)
    oxide.declare("keyless", provider.base_url("openai", service="keyless"), api="openai", api_key_env="NO_SUCH_KEY")
    oxide.start()
    oxide.execute(service="first")
    fail_once(oxide, provider, "second")
    oxide.execute(service="second")
    provider.pace(0.4, service="first")
    with browse(oxide) as page:
        page.goto("/")
        rows = is_live(page)
        services = page.locator("#services")
        expect(services.get_by_role("row", name=re.compile("^first"))).to_contain_text("healthy")
        keyless = services.get_by_role("row", name=re.compile("^keyless"))
        expect(keyless).to_contain_text("no key")
        expect(keyless).to_contain_text("Set NO_SUCH_KEY and restart")
        expect(page.locator("#failed")).to_have_text("50.0 %")
        expect(page.locator("#failed-note")).to_have_text("1 of 2 tasks")
        expect(page.locator("#rate")).to_have_text(re.compile(r"^(2\.0|1\.\d)$"))
        expect(page.locator("#hour")).to_have_text("2 tasks in the last hour")
        expect(page.locator("#cost")).to_contain_text("$0.000")
        expect(page.locator("#help")).to_be_hidden()
        # What was before this tab was there, in words for whoever does not see it.
        told = {"rate": "2 in all, 1 failed, at most", "failed": "1 in all", "latency": "Median .* ms"}
        for chart, label in told.items():
            expect(page.locator(f"#{chart}-chart svg")).to_have_attribute("aria-label", re.compile(label))
        expect(page.locator("#rate-chart .scale")).to_have_text(re.compile(r"most [12]/min, \d\d:\d\d"))

        task = oxide.execute(service="first", background=True).json()["task_id"]
        row = rows.filter(has=page.locator(f"[title='{task}']"))
        expect(row).to_contain_text("running")
        expect(row).to_contain_text(re.compile(r"≈ \d+≈ \$0\.000\d"))  # tokens, and what they cost so far
        clock = row.locator("[data-label=Time]")
        before = clock.inner_text()
        expect(clock).not_to_have_text(before)
        expect(services.get_by_role("row", name=re.compile("^first")).locator("[data-label='In flight']")).to_have_text(
            "1"
        )
        expect(row).to_contain_text("completed")
        expect(row.locator("[data-label=Tokens]")).to_have_text("24")
        expect(row.locator("[data-label=Cost]")).to_contain_text("$0.000")
        # Told over /ws: what is asked for is asked for once a minute.
        expect(page.locator("#hour")).to_have_text("3 tasks in the last hour")
        expect(page.locator("#failed-note")).to_have_text("1 of 3 tasks")
        expect(page.locator("#cpu-chart svg")).to_have_attribute("aria-label", re.compile("Processor, last"))


def test_a_running_task_is_stopped_from_now(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("hang", service="first")
    oxide.start()
    task = oxide.execute(service="first", background=True).json()["task_id"]
    with browse(oxide) as page:
        page.goto("/")
        is_live(page)
        page.get_by_role("button", name="Stop task").click()
        expect(page.locator("#tasks tbody tr")).to_contain_text("cancelled")
        expect(page.get_by_role("button", name="Stop task")).to_have_count(0)
    assert oxide.get(f"/api/tasks/{task}/").json()["status"] == "cancelled"


def test_a_task_that_finds_no_free_place_is_seen_to_wait_until_it_has_one(
    oxide: LiveOxide, provider: FakeProvider
) -> None:
    oxide.config["services"]["first"]["max_concurrency"] = 1
    provider.misbehave("hang", service="first")
    oxide.start()
    first = oxide.execute(service="first", background=True).json()["task_id"]
    wait_until(lambda: provider.calls_to("first") == 1)
    second = oxide.execute(service="first", background=True).json()["task_id"]
    with browse(oxide) as page:
        page.goto("/")
        rows = is_live(page)
        kept, held = (rows.filter(has=page.locator(f"[title='{task}']")) for task in (first, second))
        expect(kept.locator(".state")).to_have_text("running")
        expect(held.locator(".state")).to_have_text("waiting")
        expect(held).to_contain_text("for a free place at its service")
        expect(page.locator("#queued")).to_have_text("1 of them waits for a place")
        kept.get_by_role("button", name="Stop").click()
        expect(held.locator(".state")).to_have_text("running")


def test_a_cost_that_nobody_knows_is_not_shown_as_nothing(oxide: LiveOxide, provider: FakeProvider) -> None:
    oxide.start()
    oxide.execute(service="second")
    with browse(oxide) as page:
        page.goto("/")
        expect(page.locator("#cost")).to_have_text("unknown")
        expect(page.locator("#cost-note")).to_have_text("unknown since 0:00 UTC; 1 request of unknown cost")
        expect(page.locator("#cost-chart svg")).to_have_attribute("aria-label", re.compile("nothing is known$"))
        oxide.execute(service="first")
        page.reload()
        expect(page.locator("#cost")).to_have_text(re.compile(r"^at least \$0\.000"))
        expect(page.locator("#cost-note")).to_have_text(re.compile(r"^at least \$0\.000.*1 request of unknown cost$"))


def test_a_breaker_that_opens_is_seen(oxide: LiveOxide, provider: FakeProvider) -> None:
    oxide.start()
    with browse(oxide) as page:
        page.goto("/")
        is_live(page)
        wait_until_well(oxide, "first")
        provider.misbehave("status", service="first", status=500)
        for _ in range(5):
            oxide.execute(service="first")
        expect(page.locator("#services")).to_contain_text("open: called last")


def test_on_the_first_day_it_says_what_is_missing_and_what_to_do(live: LiveOxide) -> None:
    live.declare("ollama_local", "http://127.0.0.1:9", api="ollama", model="llama2")
    live.declare("openai", "http://127.0.0.1:9/v1", api="openai", api_key_env="NO_SUCH_KEY")
    live.start()
    with browse(live) as page:
        page.goto("/")
        help_ = page.get_by_role("region", name="No service answers at the moment")
        expect(help_).to_contain_text("openai has no API key: set NO_SUCH_KEY")
        expect(help_).to_contain_text("ollama run llama2")
        live.post("/api/services/ollama_local/disable/").raise_for_status()
        help_ = page.get_by_role("region", name="No model can be asked yet")
        expect(help_).to_contain_text("Do this next: openai needs a key: enter it, or set NO_SUCH_KEY and restart.")
        where = help_.get_by_role("link", name="Enter its key")
        expect(where).to_have_attribute("href", "/admin/apikeys/providerkey/add/?service=openai")
        help_.get_by_role("link", name="try Oxide with echo").click()
        page.locator("html[data-ready=true]").wait_for(state="attached")
        ask(page, "Hello there")
        expect(page.locator("#answer")).to_have_text("Hello there")


def test_an_answer_appears_piece_by_piece_with_who_gave_it_and_why(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.say(words=WORDS)
    provider.pace(0.15)
    oxide.config["routing"]["rules"] = [{"id": "rule-7", "task_type": "chat", "service": "second", "priority": 1}]
    oxide.start()
    fail_once(oxide, provider, "second")
    with browse(oxide) as page:
        open_try(page)
        page.get_by_label("Task type").select_option("chat")
        ask(page, "What is quantum computing?")
        answer = page.locator("#answer")
        lengths: set[int] = set()
        while answer.get_attribute("aria-busy") == "true":
            lengths.add(len(answer.inner_text()))
            time.sleep(0.05)
        assert len(lengths) > 4, lengths
        expect(answer).to_have_text("".join(WORDS).strip())
        expect(page.locator("#facts")).to_contain_text("first")
        expect(page.locator("#facts")).to_contain_text("12 prompt, 12 answer")
        whole, first = (
            page.locator("#facts div").filter(has=page.get_by_text(name, exact=True)).locator("dd")
            for name in ("Time", "Time to first token")
        )
        expect(whole).to_contain_text(re.compile(r"^[\d.]+ s[\d.]+ s as Oxide measured it$"))
        expect(page.locator("#progress")).to_have_text(f"completed in {whole.inner_text().splitlines()[0]}")
        expect(first).to_contain_text("as this page saw it")
        why = page.locator("#routing")
        expect(why).to_contain_text("rule-7: priority 1 for chat")
        expect(why.locator(".attempts li")).to_have_count(2)
        expect(why.locator(".attempts li").first).to_contain_text("failed")


def test_who_would_do_it_is_told_without_asking_anybody(oxide: LiveOxide, provider: FakeProvider) -> None:
    oxide.start()
    with browse(oxide) as page:
        open_try(page)
        page.get_by_label("Prompt").fill("Translate this into German: good morning")
        page.get_by_role("button", name="Who would do it?").click()
        expect(page.locator("#routing")).to_contain_text("Who would be asked for translation")
        expect(page.locator("#routing ol li").first).to_contain_text("default order, place 1")
    assert provider.calls_to("first") == 0


def test_stop_stops_an_answer_that_comes_and_one_that_does_not(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.say(words=WORDS * 20)
    provider.pace(0.2)
    oxide.start()
    with browse(oxide) as page:
        open_try(page)
        ask(page, "Tell me a long story")
        expect(page.locator("#answer")).to_contain_text("word2")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#progress")).to_contain_text("cancelled in")
        expect(page.locator("#answer")).to_contain_text("word2")
        expect(page.locator("#facts")).to_contain_text("first")
        wait_until(lambda: provider.hangups == 1)

        provider.misbehave("hang")
        ask(page, "Say nothing")
        expect(page.locator("#progress")).to_contain_text("Waiting")
        wait_until(lambda: provider.calls_to("first") == 2)
        page.keyboard.press("Escape")
        expect(page.locator("#progress")).to_have_text("stopped")
        wait_until(lambda: provider.hangups == 2)
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
    statuses = [task["status"] for task in oxide.get("/api/tasks/history/").json()["tasks"]]
    assert statuses == ["cancelled", "cancelled"]


def test_several_services_answer_side_by_side_each_with_a_stop_of_its_own(
    oxide: LiveOxide, provider: FakeProvider
) -> None:
    provider.say(words=WORDS * 20)
    provider.pace(0.2, service="second")
    oxide.declare("third", provider.base_url("openai", service="third"), api="openai", max_retries=0)
    oxide.start()
    wait_until_well(oxide, "first", "second", "third")
    provider.misbehave("status", service="third", status=500, body={"error": {"message": "The moon is full."}})
    with browse(oxide, quiet=False) as page:
        open_try(page, "?beside=first&beside=second")
        expect(page.get_by_role("checkbox", name="second")).to_be_checked()
        expect(page.get_by_label("Service", exact=True)).to_be_disabled()
        expect(page.get_by_role("button", name="Copy as curl")).to_be_visible()
        page.get_by_role("checkbox", name="third").check()
        page.get_by_role("checkbox", name="echo").check()
        expect(page.get_by_text("4 are the most.")).to_be_visible()
        page.get_by_role("checkbox", name="echo").uncheck()
        ask(page, "Compare yourselves")
        first, second, third = (
            page.get_by_role("region", name=f"Answer of {name}") for name in ("first", "second", "third")
        )
        expect(first).to_contain_text("completed in")
        for fact in ("Time to first token", "240 answer", "$0.00"):
            expect(first).to_contain_text(fact)
        expect(third.get_by_role("alert")).to_contain_text("The moon is full.")
        expect(second.locator(".answer")).to_contain_text("word2")
        expect(page.get_by_role("button", name="Send")).to_be_disabled()
        page.get_by_role("button", name="Stop second").click()
        expect(second).to_contain_text("cancelled in")
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
        expect(first.get_by_role("button")).to_have_count(0)
        wait_until(lambda: provider.hangups == 1)
        # One alone is asked as before.
        page.get_by_role("checkbox", name="second").uncheck()
        page.get_by_role("checkbox", name="third").uncheck()
        page.get_by_label("Service", exact=True).select_option("echo")
        ask(page, "Hello there")
        expect(page.locator("#answer")).to_have_text("Hello there")
        expect(page.locator("#columns")).to_be_hidden()
    asked = oxide.get("/api/tasks/history/").json()["tasks"]
    assert {(task["service_used"], task["status"]) for task in asked[1:]} == {
        ("first", "completed"),
        ("second", "cancelled"),
        ("", "failed"),
    }


def test_a_failure_is_told_in_oxides_own_words_with_its_attempts(oxide: LiveOxide, provider: FakeProvider) -> None:
    oxide.start()
    wait_until_well(oxide, "first", "second")
    provider.misbehave("status", status=500, body={"error": {"message": "The moon is full."}})
    with browse(oxide, quiet=False) as page:
        open_try(page)
        ask(page, "Hello")
        expect(page.get_by_role("alert")).to_contain_text("The moon is full.")
        expect(page.locator(".attempts li")).to_have_count(2)


def test_the_code_to_copy_does_what_the_page_did(oxide: LiveOxide, tmp_path: Path) -> None:
    oxide.start()
    prompt = 'It\'s "quoted" $HOME `id` \\ ${x}\nand long'
    run = {
        "curl": ["bash", "-c"],
        "Python": [sys.executable, "-c"],
        "JavaScript": [program("node"), "--input-type=module", "-e"],
    }
    with browse(oxide) as page:
        open_try(page, "?service=echo")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_label("Prompt").fill(prompt)
        for language, command in run.items():
            page.get_by_role("button", name=f"Copy as {language}").click()
            expect(page.locator("#copied")).to_have_text("Copied.")
            code = page.evaluate("navigator.clipboard.readText()")
            expect(page.locator("#code")).to_have_text(code)
            done = subprocess.run(
                [*command, code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
            )
            said = done.stdout if language != "curl" else json.loads(done.stdout.rpartition("data: ")[2])["result"]
            assert said.rstrip("\n") == prompt, language
        assert oxide.get("/api/tasks/history/").json()["total"] == len(run)

        # Side by side it asks each of them.
        open_try(page, "?beside=echo&beside=first")
        page.get_by_label("Prompt").fill(prompt)
        for language, command in run.items():
            page.get_by_role("button", name=f"Copy as {language}").click()
            code = page.locator("#code").inner_text()
            subprocess.run([*command, code], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    asked = oxide.get("/api/tasks/history/").json()["tasks"][: 2 * len(run)]
    assert Counter(task["service_used"] for task in asked) == {"echo": len(run), "first": len(run)}
    assert {task["prompt"] for task in asked} == {prompt}


def test_what_cannot_be_shown_says_so_and_where_to_look_on(oxide: LiveOxide) -> None:
    oxide.start()
    with browse(oxide, quiet=False) as page:
        page.goto("/history/01a2060f-e649-74fb-aca1-e65a7bc908e4")
        expect(page.get_by_role("alert")).to_contain_text("There is no such task")
        expect(page.get_by_role("alert")).not_to_contain_text("GET")
        page.get_by_role("alert").get_by_role("link", name="Look in the history").click()
        expect(page.locator("#found")).to_have_text("0 tasks")
        page.route("**/api/tasks/history/**", lambda route: route.fulfill(status=503, json={"detail": "No database."}))
        page.reload()
        expect(page.get_by_role("alert")).to_have_text("No database.")
        expect(page.locator("#list")).to_have_attribute("aria-busy", "false")
        expect(page.get_by_text("Looking")).to_be_hidden()


def test_a_hostile_answer_is_text_and_nothing_else(oxide: LiveOxide, provider: FakeProvider) -> None:
    provider.say(text=HOSTILE, reasoning=HOSTILE)
    oxide.start()
    with browse(oxide) as page:
        open_try(page)
        ask(page, HOSTILE)
        answer = page.locator("#answer")
        expect(page.locator("#progress")).to_contain_text("completed")
        expect(answer).to_have_text(HOSTILE)
        assert answer.locator("*").count() == 0
        page.goto("/history")
        page.get_by_role("link", name=re.compile("window.hit")).click()
        texts = page.locator(".message .text")
        expect(texts.last).to_have_text(HOSTILE)
        assert texts.locator("*").count() == 0
        nothing_is_more_than_text(page)

        said = [{"type": "text", "text": HOSTILE}, {"type": "image_url", "image_url": {"url": PICTURE}}]
        asked = {"messages": [{"role": "user", "content": said}], "service": "first"}
        task = oxide.post("/api/tasks/execute/", json=asked).json()["task_id"]
        page.goto(f"/history/{task}")
        expect(page.locator(".message").first).to_contain_text(PICTURE)
        expect(page.locator(".message .text").first).to_have_text(HOSTILE)
        nothing_is_more_than_text(page)

        open_try(page, "?beside=first&beside=echo")
        ask(page, HOSTILE)
        expect(page.locator("#columns .facts")).to_have_count(2)
        expect(page.locator("#columns .answer")).to_have_text([HOSTILE, HOSTILE])
        assert page.locator("#columns .text *").count() == 0
        nothing_is_more_than_text(page)
        page.goto("/history?search=" + "%3Cscript%3Ewindow.hit%3D1%3C/script%3E&service=%3Cimg%20src%3Dx%3E")
        expect(page.get_by_text("Nothing matches")).to_be_visible()
        nothing_is_more_than_text(page)


def nothing_is_more_than_text(page: Page) -> None:
    """That no other host was asked is seen to by `browse`."""
    assert page.evaluate("window.hit") is None
    assert (
        page.locator("main :is(script, img, svg[onload], style, link, a[href^='javascript'], a[href^='http'])").count()
        == 0
    )


def test_a_picture_from_elsewhere_would_be_noticed(oxide: LiveOxide) -> None:
    oxide.start()

    def show_it() -> None:
        with browse(oxide, quiet=False) as page:
            open_try(page)
            page.evaluate(SHOW, PICTURE)
            page.wait_for_timeout(200)

    with pytest.raises(AssertionError, match=r"policy was broken|asked other hosts"):
        show_it()


SHOW = "(address) => document.querySelector('main').append(Object.assign(new Image(), { src: address }))"


def test_tasks_are_found_again_by_filters_text_and_pages(oxide: LiveOxide, provider: FakeProvider) -> None:
    oxide.start()
    for number in range(30):
        oxide.execute(prompt=f"Question number {number}", service="echo")
    wait_until_well(oxide, "first", "second")
    provider.misbehave("status", status=500)
    oxide.execute(prompt="This goes wrong")
    with browse(oxide) as page:
        page.goto("/history")
        rows = page.locator("#tasks tbody tr")
        expect(page.locator("#found")).to_have_text("31 tasks")
        expect(rows).to_have_count(25)
        page.get_by_role("button", name="Older").click()
        expect(rows).to_have_count(6)
        expect(page.locator("#place")).to_have_text("26 to 31 of 31")
        page.get_by_label("State").select_option("failed")
        expect(page.locator("#found")).to_have_text("1 task found")
        assert page.url.endswith("/history?status=failed")
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        assert re.fullmatch(r"oxide-tasks-.*\.csv", download.value.suggested_filename)
        table = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
        assert [row["prompt"] for row in table] == ["This goes wrong"]
        expect(page.get_by_role("link", name="JSON")).to_have_attribute(
            "href", "/api/tasks/export/?as=json&status=failed"
        )
        rows.get_by_role("link").click()
        expect(page.locator(".attempts li")).to_have_count(2)
        expect(page.get_by_text("PROVIDER_ERROR")).to_be_visible()
        page.go_back()
        expect(page.locator("#found")).to_have_text("1 task found")
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("Text").fill("number 17")
        page.keyboard.press("Enter")
        expect(page.locator("#found")).to_have_text("1 task found")
        rows.get_by_role("link").click()
        page.get_by_role("link", name="Try it again").click()
        expect(page.get_by_label("Prompt")).to_have_value("Question number 17")
        expect(page.get_by_label("Service")).to_have_value("echo")


def test_a_page_says_that_it_is_cut_off_and_is_live_again_by_itself(oxide: LiveOxide) -> None:
    oxide.start()
    port = oxide.url.rpartition(":")[2]
    with browse(oxide, quiet=False) as page:
        page.goto("/")
        is_live(page)
        oxide.kill()
        expect(page.get_by_role("status").get_by_text("Disconnected")).to_be_visible()
        expect(page.get_by_role("button", name="Connect now")).to_be_visible()
        oxide.start("--port", port)
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        task = oxide.execute(service="echo", background=True).json()["task_id"]
        expect(page.locator(f"[title='{task}']")).to_be_visible()
        expect(page.locator("body")).not_to_have_class(re.compile("stale"))


@pytest.mark.parametrize("path", ["/", "/try", "/history", "/history/{task}", "/login"])
def test_nothing_is_cut_off_on_a_phone(oxide: LiveOxide, provider: FakeProvider, path: str) -> None:
    provider.say(text=f"{'long' * 200} {HOSTILE}")
    name = "a-service-with-a-rather-long-name-indeed"
    oxide.declare(name, provider.base_url("openai", service=name), api="openai", model=f"{'m' * 150}/model")
    oxide.start()
    task = oxide.execute(prompt="x" * 400, service=name).json()["task_id"]
    with browse(oxide, width=375, height=800) as page:
        page.goto(path.format(task=task))
        page.wait_for_timeout(1000)
        if path == "/try":
            open_try(page, f"?service={name}")
            ask(page, "x" * 400)
            expect(page.locator("#routing")).to_be_visible()
            cut = page.evaluate(CUT_SELECTS)
            assert cut == []
            page.get_by_role("checkbox", name="echo").check()
            page.get_by_role("checkbox", name=name).check()
            ask(page, "x" * 400)
            expect(page.locator("#columns .facts")).to_have_count(2)
        assert_nothing_is_cut_off(page)


# A select is as wide as its text would have it where its own width is left to it.
CUT_SELECTS = """[...document.querySelectorAll('select')].filter((select) => {
    const wide = select.getBoundingClientRect().width;
    select.style.width = 'auto';
    const wanted = select.getBoundingClientRect().width;
    select.style.width = '';
    return wanted > wide && select.value.length < 30;
}).map((select) => select.id)"""


def test_what_stands_beside_each_other_is_aligned_and_what_belongs_together_is_in_one_piece(
    oxide: LiveOxide, provider: FakeProvider
) -> None:
    for name in ("the_third_of_all_services", "fourth", "fifth"):
        oxide.declare(name, provider.base_url("openai", service=name), api="openai")
    oxide.start()
    task = oxide.execute(service="second").json()["task_id"]
    with browse(oxide) as page:
        page.goto("/history")
        assert len(set(page.locator("#filters :is(input, select)").evaluate_all(HEIGHTS))) == 1
        page.goto("/routing")
        boxes = page.locator("#lane-default").locator("xpath=ancestor::section").get_by_role("listitem")
        expect(boxes).to_have_count(5)
        assert len(set(boxes.evaluate_all("all => all.map((each) => each.offsetTop)"))) == 1
        page.goto("/")
        expect(page.locator("#services tbody tr")).to_have_count(6)
        expect(page.locator("#hour")).to_have_text("1 task in the last hour")
        page.set_viewport_size({"width": 375, "height": 800})
        addresses = page.locator("#services th .note")
        assert {lines for each in addresses.all() for lines in each.evaluate(LINES_OF_PARTS)} == {1}
        latency = page.locator("#services [data-label^=Latency]").last
        latency.locator("span").first.evaluate("(figure) => { figure.textContent = '59:59 min'; }")
        assert set(latency.evaluate(LINES_OF_PARTS)) == {1}

        page.goto(f"/history/{task}")
        told = page.locator(".attempts .line .note")
        expect(told).to_have_text(re.compile(r"^took (< )?[\d.]+ m?s, \d+ tokens, cost unknown$"))


HEIGHTS = "all => all.map((each) => each.getBoundingClientRect().height)"
# Over how many lines each text goes that may not be broken.
LINES_OF_PARTS = """(place) => {
    const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(texts.currentNode);
        found.push(range.getClientRects().length);
    }
    return found;
}"""


@pytest.mark.parametrize("path", ["/", "/try?service=echo", "/history", "/history/{task}"])
def test_the_keyboard_reaches_everything_and_everything_has_a_name(
    oxide: LiveOxide, provider: FakeProvider, path: str
) -> None:
    oxide.start()
    task = oxide.execute().json()["task_id"]
    provider.misbehave("hang")
    oxide.execute(background=True)
    with browse(oxide) as page:
        page.goto(path.format(task=task))
        page.wait_for_timeout(1000)
        assert_the_keyboard_reaches_everything(page)


def test_routing_costs_and_keys_hold_on_a_phone_and_by_keyboard(oxide: LiveOxide, provider: FakeProvider) -> None:
    name = "a-service-with-a-rather-long-name-indeed"
    address = provider.base_url("openai", service=name)
    oxide.declare(name, address, api="openai", model=f"{'m' * 150}/model", api_key_env="NO_SUCH_KEY")
    oxide.declare(f"{name}-2", address, api="openai", model=f"{'m' * 150}/model", price=PRICE)
    note = f"{'long' * 60} {HOSTILE[:200]}"
    oxide.config["routing"]["rules"] = [
        {"id": "r" * 50, "task_type": "chat", "service": name, "priority": 1, "note": note}
    ]
    oxide.start()
    oxide.execute(service=f"{name}-2")
    oxide.execute(service="second")
    with browse(oxide, width=375, height=800) as page:
        for path, sign in (("/routing", name), ("/costs", f"{name}-2"), ("/keys", name)):
            page.goto(path)
            expect(page.get_by_text(sign, exact=True).first).to_be_visible()
            assert_nothing_is_cut_off(page)
            assert_the_keyboard_reaches_everything(page)
        assert page.evaluate("window.hit") is None


@pytest.fixture
def guarded(oxide: LiveOxide) -> LiveOxide:
    oxide.environment["OXIDE_AUTH_ENABLED"] = "true"
    oxide.start()
    return oxide


def test_with_identity_on_one_logs_in_and_may_do_what_the_role_may(guarded: LiveOxide, provider: FakeProvider) -> None:
    make = f"from django.contrib.auth.models import User; User.objects.create_user('ada', password={PASSWORD!r})"
    guarded.run("shell", "-c", make)
    with browse(guarded, quiet=False) as page:
        page.goto("/try?service=echo")
        assert "/login?next=" in page.url
        log_in(page, "admin", guarded.admin_password)
        page.locator("html[data-ready=true]").wait_for(state="attached")
        expect(page.get_by_label("Service")).to_have_value("echo")
        ask(page, "Hello there")
        expect(page.locator("#answer")).to_have_text("Hello there")
        page.get_by_role("link", name="Now").click()
        is_live(page)
        page.get_by_role("button", name="Log out").click()

        start_one(guarded, provider)
        log_in(page, "ada", PASSWORD)
        is_live(page)
        expect(page.locator("#help")).to_be_hidden()
        lacking = "needs the scope execute, which ada does not have. Ask an administrator for it."
        cannot_be_pressed(page, "Stop task", f"To stop a task {lacking}")
        guarded.run("shell", "-c", SWITCH_OFF)
        expect(page.locator("#help")).to_contain_text("An administrator does it in the admin pages.")
        expect(page.locator("a[href^='/admin']")).to_have_count(0)
        page.locator("#tasks a").first.click()
        cannot_be_pressed(page, "Stop", f"To stop a task, or to try one again, {lacking}")
        open_try(page, "?service=echo")
        cannot_be_pressed(page, "Send", f"To send a task {lacking}")
        page.get_by_label("Prompt").fill("Hello there")
        page.keyboard.press("Control+Enter")
        page.get_by_role("button", name="Who would do it?").click()
        expect(page.locator("#routing")).to_be_visible()
        expect(page.locator("#outcome")).to_be_hidden()
        page.get_by_role("button", name="Log out").click()

        page.goto("/login?next=/try?service=echo")
        log_in(page, "admin", guarded.admin_password)
        page.locator("html[data-ready=true]").wait_for(state="attached")
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
        page.context.clear_cookies()
        ask(page, "Hello again")
        expect(page.get_by_role("alert")).to_contain_text("Your login has ended.")
        expect(page.get_by_role("alert").get_by_role("link", name="Log in")).to_be_visible()


SWITCH_OFF = """
from services.models import Service
for service in Service.objects.exclude(type="builtin"):
    service.enabled = False
    service.save()
"""


def cannot_be_pressed(page: Page, name: str, why: str) -> None:
    button = page.get_by_role("button", name=name)
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(why)
    expect(page.get_by_text(why)).to_be_visible()


def start_one(oxide: LiveOxide, provider: FakeProvider) -> None:
    """A task of the administrator's that goes on until somebody stops it."""
    provider.misbehave("hang", service="first")
    login = oxide.post("/auth/login", json={"username": "admin", "password": oxide.admin_password}).json()
    body = {"prompt": "Go on.", "service": "first", "background": True}
    oxide.post("/api/tasks/execute/", json=body, headers=bearer(login["access_token"])).raise_for_status()


def test_a_page_whose_login_has_ended_says_so(guarded: LiveOxide) -> None:
    with browse(guarded, quiet=False) as page:
        page.goto("/")
        log_in(page, "admin", guarded.admin_password)
        is_live(page)
        guarded.run("shell", "-c", "from django.contrib.sessions.models import Session; Session.objects.all().delete()")
        page.reload()
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
