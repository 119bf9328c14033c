"""The command `oxide`, installed, in real processes."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oxide_client import answers
from oxide_client.cli.exits import EXITS
from tests.clients.python.conftest import settle, surroundings
from tests.clients.python.scripted import Scripted, error, hang_up, raw
from tests.clients.python.shapes import misfits
from tests.clients.python.terminals import piped, running, terminal
from tests.fake_provider import TEXT, FakeProvider
from tests.live import ROOT, LiveOxide, free_port
from tests.waiting import wait_until

PROMPT = "What is quantum computing?"


@pytest.fixture
def env(installed: Path, live: LiveOxide, provider: FakeProvider) -> Iterator[dict[str, str]]:
    yield surroundings(installed, OXIDE_URL=live.url)
    settle(live, provider)


def asked_once(provider: FakeProvider) -> bool:
    return provider.calls_to("first") == 1


# Tasks


def test_run_prints_the_answer_and_nothing_else_into_a_pipe(env: dict[str, str]) -> None:
    done = piped(env, "run", PROMPT)
    assert (done.status, done.out, done.err) == (0, f"{TEXT}\n", "")


def test_run_asks_for_what_its_options_say(env: dict[str, str], provider: FakeProvider) -> None:
    options = ["--type", "analysis", "--service", "second", "--model", "beta", "--max-tokens", "9"]
    done = piped(env, "run", PROMPT, *options, "--temperature", "0.5", "--timeout", "20", "--json")
    answer = json.loads(done.out)
    assert misfits(answer, answers.TaskAnswer) == []
    assert (answer["service_used"], answer["task_type"]) == ("second", "analysis")
    sent = provider.last_call("second").json
    assert (sent["model"], sent["temperature"]) == ("beta", 0.5)
    assert 9 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


def test_without_a_type_oxide_finds_it_out(env: dict[str, str]) -> None:
    done = piped(env, "run", "Translate this to French: hello", "--json")
    assert json.loads(done.out)["task_type"] == "translation"


@pytest.mark.parametrize("command", ["run", "ask"])
@pytest.mark.parametrize("arguments", [["-"], []])
def test_the_prompt_is_read_from_standard_input(env: dict[str, str], command: str, arguments: list[str]) -> None:
    said = "grün, über\nzwei Zeilen"
    done = piped(env, command, *arguments, "--service", "echo", said=said)
    assert (done.status, done.out) == (0, f"{said}\n")


@pytest.mark.parametrize("command", ["run", "ask"])
def test_what_a_pipe_brings_follows_the_prompt_after_a_blank_line(env: dict[str, str], command: str) -> None:
    done = piped(env, command, "Summarise this:", "--service", "echo", said="first line\r\nzweite Zeile")
    assert (done.status, done.out) == (0, "Summarise this:\n\nfirst line\nzweite Zeile\n")


@pytest.mark.parametrize("said", ["", "\n \n"])
def test_a_pipe_that_brings_nothing_adds_nothing(env: dict[str, str], said: str) -> None:
    assert piped(env, "ask", "Hello", "--service", "echo", said=said).out == "Hello\n"


def test_a_closed_standard_input_adds_nothing(env: dict[str, str]) -> None:
    shell = ["sh", "-c", "oxide ask Hello --service echo <&-; oxide ask --service echo <&-"]
    done = subprocess.run(shell, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.returncode) == ("Hello\n", 2)
    assert "say what is to be done" in done.stderr


def test_a_socket_that_is_never_written_to_adds_nothing(env: dict[str, str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = ["oxide", "ask", "Hello", "--service", "echo"]
        done = subprocess.run(
            command, env=env, stdin=theirs.fileno(), capture_output=True, text=True, timeout=30, check=False
        )
        assert done.stdout == "Hello\n"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"world")
        ours.shutdown(socket.SHUT_WR)
        done = subprocess.run(
            command, env=env, stdin=theirs.fileno(), capture_output=True, text=True, timeout=30, check=False
        )
        assert done.stdout == "Hello\n\nworld\n"


def test_nothing_is_read_from_a_terminal_beside_a_prompt(env: dict[str, str]) -> None:
    with terminal(env, "ask", "Hello", "--service", "echo") as opened:
        assert opened.wait() == 0
        assert "Hello" in opened.left


@pytest.mark.parametrize("prompt", [["Describe this:"], ["-"], []])
@pytest.mark.parametrize("said", [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"\x7fELF\x02\x01\xff\xfe", b"a\x00b"])
def test_binary_input_is_refused_and_nothing_is_sent(
    env: dict[str, str], provider: FakeProvider, prompt: list[str], said: bytes
) -> None:
    done = piped(env, "ask", *prompt, said=said)
    assert (done.status, done.out) == (2, "")
    assert "binary data" in done.err
    assert provider.calls_to("first") == 0


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("grün".encode("utf-8-sig"), "grün"),
        ("grün".encode("utf-16"), "grün"),
        ("gr\u00fcn".encode("latin-1"), "gr\ufffdn"),
        (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ],
    ids=["UTF-8 with a mark", "UTF-16", "Latin-1", "colours"],
)
def test_text_in_any_encoding_is_read_as_well_as_can_be(env: dict[str, str], said: bytes, text: str) -> None:
    assert piped(env, "run", "--service", "echo", said=said).out == f"{text}\n"


def test_a_long_file_arrives_whole_and_one_that_is_too_long_is_told(env: dict[str, str]) -> None:
    long = "all work and no play\n" * 100_000
    done = piped(env, "run", "Count:", "--service", "echo", "--json", said=long)
    assert json.loads(done.out)["result"] == f"Count:\n\n{long}"
    done = piped(env, "run", "Count:", "--service", "echo", said=long * 30)
    assert done.status == 1, done
    assert "OXIDE_MAX_BODY_MB" in done.err
    assert "history" not in done.err


def test_ask_prints_each_word_as_it_comes(env: dict[str, str], provider: FakeProvider) -> None:
    provider.misbehave("stall", service="first")
    with running(env, "ask", PROMPT) as process:
        assert process.stdout is not None
        assert process.stdout.read(7) == b"Quantum"
        assert process.poll() is None


def test_ask_prints_events_as_lines_of_json(env: dict[str, str]) -> None:
    events = [json.loads(line) for line in piped(env, "ask", PROMPT, "--json").out.splitlines()]
    assert [events[0]["type"], events[-1]["type"]] == ["task", "done"]
    assert "".join(event.get("text", "") for event in events if event["type"] == "delta") == TEXT


def test_an_answer_that_breaks_off_is_an_error_behind_what_came(env: dict[str, str], provider: FakeProvider) -> None:
    provider.misbehave("truncate", service="first")
    done = piped(env, "ask", PROMPT)
    assert TEXT.startswith(done.out.rstrip("\n"))
    assert (done.status, done.out.startswith("Quantum")) == (1, True)
    assert "oxide history" in done.err


# Ctrl-C


@pytest.mark.parametrize("command", ["run", "ask"])
def test_ctrl_c_calls_the_task_off_and_says_so(
    env: dict[str, str], live: LiveOxide, provider: FakeProvider, command: str
) -> None:
    provider.misbehave("hang", service="first")
    with terminal(env, command, PROMPT) as opened:
        wait_until(lambda: asked_once(provider))
        opened.wait_for("Ctrl-C calls it off")
        assert opened.interrupt() == 130
        assert "calls the task off" in opened.screen
        assert "Traceback" not in opened.screen
    wait_until(lambda: provider.hangups >= 1)
    wait_until(lambda: live.get("/api/tasks/history/?limit=1").json()["tasks"][0]["status"] == "cancelled")


def test_ctrl_c_in_the_middle_of_an_answer_names_the_task(
    env: dict[str, str], live: LiveOxide, provider: FakeProvider
) -> None:
    provider.misbehave("stall", service="first")
    with terminal(env, "ask", PROMPT) as opened:
        opened.wait_for("Quantum")
        assert opened.interrupt() == 130
        task_id = opened.screen.rpartition("Cancelled task ")[2].split(".")[0]
    wait_until(lambda: live.get(f"/api/tasks/{task_id}/").json().get("status") == "cancelled")


def test_a_process_that_is_ended_calls_its_task_off_too(env: dict[str, str], provider: FakeProvider) -> None:
    provider.misbehave("hang", service="first")
    with running(env, "run", PROMPT) as process:
        wait_until(lambda: asked_once(provider))
        process.terminate()
    wait_until(lambda: provider.hangups >= 1)


# History and services


def test_history_is_a_table_or_json(env: dict[str, str], live: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("status", service="first", status=500)
    failed = live.execute(service="first", prompt="It fails.").json()["task_id"]
    done = live.execute(service="echo", prompt="Zwei\nZeilen").json()["task_id"]
    head, *rows = piped(env, "history", "--limit", "2").out.splitlines()
    assert head.split() == ["ID", "CREATED", "STATUS", "SERVICE", "SECONDS", "TOKENS", "COST", "PROMPT"]
    assert [row.split()[0] for row in rows] == [done, failed]
    assert rows[0].endswith("Zwei Zeilen")
    assert "PROVIDER_ERROR" in rows[1]
    page = json.loads(piped(env, "history", "--json", "--limit", "1", "--status", "failed").out)
    assert misfits(page, answers.HistoryPage) == []
    assert [task["id"] for task in page["tasks"]] == [failed]


def test_history_shows_one_task_with_what_was_tried(
    env: dict[str, str], live: LiveOxide, provider: FakeProvider
) -> None:
    provider.misbehave("status", service="first", status=500)
    task_id = live.execute().json()["task_id"]
    shown = piped(env, "history", task_id).out
    for part in (task_id, "attempt 1  first alpha failed", "attempt 2  second alpha completed", PROMPT, TEXT):
        assert part in shown
    assert misfits(json.loads(piped(env, "history", task_id, "--json").out), answers.TaskDetail) == []


def test_history_is_searched_and_filtered(env: dict[str, str], live: LiveOxide) -> None:
    by_echo = live.execute(service="echo", task_type="analysis", prompt="A haystack").json()["task_id"]
    by_first = live.execute(service="first", task_type="translation", prompt="A haystack").json()["task_id"]
    live.execute(service="echo", task_type="translation", prompt="Nothing of the kind")
    cases = [
        (["--search", "haystack"], [by_first, by_echo]),
        (["--search", "haystack", "--service", "echo"], [by_echo]),
        (["--search", "haystack", "--type", "translation"], [by_first]),
    ]
    for options, wanted in cases:
        _, *rows = piped(env, "history", *options).out.splitlines()
        assert [row.split()[0] for row in rows] == wanted, options


def test_services_is_a_table_or_json(env: dict[str, str]) -> None:
    head, *rows = piped(env, "services").out.partition("\n\n")[0].splitlines()
    assert head.split() == ["NAME", "STATE", "KIND", "MODEL", "ADDRESS"]
    assert [row.split()[0] for row in rows] == ["echo", "first", "keyed", "keyless", "second"]
    assert misfits(json.loads(piped(env, "services", "--json").out), answers.ServiceList) == []


def test_services_says_of_each_how_it_is_and_below_what_bars_it(
    env: dict[str, str], live: LiveOxide, provider: FakeProvider
) -> None:
    provider.misbehave("status", service="first", status=401)
    assert not live.post("/api/services/first/test/").json()["healthy"]
    live.post("/api/services/second/disable/")
    table, _, below = piped(env, "services").out.partition("\n\n")
    live.post("/api/services/second/enable/")
    states = dict(re.split(r"  +", row)[:2] for row in table.splitlines()[1:])
    assert states == {
        "echo": "healthy",
        "first": "unhealthy, called last",
        "keyed": "healthy",
        "keyless": "no key",
        "second": "off",
    }
    ill, barred = below.splitlines()
    assert ill.startswith("first is currently unhealthy: ")
    key = "keyless has no API key: set CLIENT_JOURNEY_NO_KEY and restart, or POST /api/api-keys/update/"
    assert barred == key


# Live events


def test_watch_prints_a_line_for_each_event(env: dict[str, str], live: LiveOxide, provider: FakeProvider) -> None:
    with running(env, "watch") as process:
        assert process.stdout is not None
        assert b"snapshot" in process.stdout.readline()
        task_id = live.execute(service="echo").json()["task_id"]
        lines = iter(process.stdout.readline, b"")
        line = next(line.decode() for line in lines if task_id.encode() in line)
        assert "completed 100 % echo echo" in line
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_watch_follows_the_text_of_a_task_as_json(env: dict[str, str], live: LiveOxide, provider: FakeProvider) -> None:
    provider.misbehave("stall", service="first")
    task_id = live.execute(service="first", background=True).json()["task_id"]
    with running(env, "watch", "--task", task_id, "--topic", "services", "--json") as process:
        assert process.stdout is not None
        for line in iter(process.stdout.readline, b""):
            event = json.loads(line)
            if event["type"] == "task_delta":
                break
        assert (event["task_id"], event["text"][:7]) == (task_id, "Quantum")
    live.post(f"/api/tasks/{task_id}/cancel/")


def test_watch_says_when_oxide_goes_and_comes_again(installed: Path, tmp_path: Path) -> None:
    live, port = LiveOxide(tmp_path), str(free_port())
    live.start("--port", port)
    try:
        with running(surroundings(installed), "watch", "--url", live.url) as process:
            assert process.stdout is not None
            assert b"snapshot" in process.stdout.readline()
            live.kill()
            lines = iter(process.stdout.readline, b"")
            assert any(b"trying again in" in line for line in lines)
            live.start("--port", port)
            assert any(b"reconnected" in line for line in lines)
            assert any(b"snapshot" in line for line in lines)
    finally:
        live.kill()


# What can go wrong


def test_each_exit_status_tells_what_went_wrong(env: dict[str, str], provider: FakeProvider) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    provider.misbehave("status", service="first", status=500)
    provider.misbehave("hang", service="second")
    cases: list[tuple[list[str], int, str]] = [
        (["run", PROMPT, "--service", "first"], 1, "oxide history "),
        (["history", "01a2060f-e649-74fb-aca1-e65a7bc908e4"], 1, "GET /api/tasks/history/ lists them"),
        (["run", PROMPT, "--service", "nobody"], 2, "nobody"),
        (["run", " "], 2, "say what is to be done"),
        (["run", PROMPT, "--type", "poem"], 2, "--help"),
        (["dance"], 2, "--help"),
        (["services", "--url", "localhost"], 2, "Use http://localhost."),
        (["services", "--url", "localhost:8000"], 2, "Use http://localhost:8000."),
        (["services", "--url", "ws://localhost:8000"], 2, "Use http://localhost:8000."),
        (["services", "--url", env["OXIDE_URL"].replace("http", "https")], 3, f"Use {env['OXIDE_URL']} as --url"),
        (["services", "--token", "two words"], 2, "one word"),
        (["run", PROMPT, "--timeout", "soon"], 2, "a number of seconds"),
        (["run", PROMPT, "--service", "second", "--timeout", "0.4"], 6, "--timeout"),
    ]
    for arguments, status, advice in cases:
        done = piped(env, *arguments)
        assert (done.status, done.out) == (status, ""), (arguments, done)
        assert advice in done.err
        assert "Traceback" not in done.err
    with Scripted(error(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded", 900)) as server:
        done = piped(env, "run", PROMPT, "--url", server.url)
        assert (done.status, "later" in done.err) == (5, True)
    with Scripted(hang_up) as server:
        assert piped(env, "--url", server.url, "run", PROMPT).status == 3
    done = piped({**env, "OXIDE_URL": nobody}, "watch")
    assert (done.status, "--url" in done.err) == (3, True)


def test_who_may_not_is_told_about_tokens(installed: Path, guarded: LiveOxide) -> None:
    env = surroundings(installed, OXIDE_URL=guarded.url)
    for more in ({}, {"OXIDE_TOKEN": "ox-nobody"}):
        for command in (["services"], ["run", PROMPT], ["ask", PROMPT]):
            done = piped({**env, **more}, *command)
            assert (done.status, "OXIDE_TOKEN" in done.err) == (4, True)
    login = guarded.post("/auth/login", json={"username": "admin", "password": guarded.admin_password}).json()
    assert piped({**env, "OXIDE_TOKEN": login["access_token"]}, "services").status == 0
    assert piped(env, "services", "--token", login["access_token"]).status == 0


def test_advice_is_given_only_where_it_helps(env: dict[str, str], tmp_path: Path) -> None:
    refusals = {
        "OXIDE_TOKEN": [error(401, "UNAUTHORIZED", "Authentication required"), error(403, "FORBIDDEN", "Forbidden")],
        "oxide services": [error(503, "SERVICE_UNAVAILABLE", "Service not available")],
        "": [
            error(404, "NOT_FOUND", "Not found"),
            error(413, "PAYLOAD_TOO_LARGE", "Payload too large"),
            error(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded", 900),
            error(500, "INTERNAL_ERROR", "Internal server error"),
            raw(401, b"<h1>Who are you?</h1>"),
            raw(404, b"<h1>nginx</h1>"),
            raw(503, b"<h1>nginx</h1>", Retry_After="900"),
        ],
    }
    for advice, answers_ in refusals.items():
        for answer in answers_:
            with Scripted(answer) as server:
                told = piped(env, "services", "--url", server.url).err
            given = [part for part in ("OXIDE_TOKEN", "oxide services", "oxide history", "Start it") if part in told]
            assert given == ([advice] if advice else []), told


def test_help_names_every_command_variable_and_exit_status(env: dict[str, str]) -> None:
    shown = piped(env, "--help").out
    for part in ("run", "ask", "history", "services", "watch", "OXIDE_URL", "OXIDE_TOKEN", "NO_COLOR", *EXITS.values()):
        assert part in shown


def test_the_version_is_that_of_the_installed_package(env: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())["project"]
    assert piped(env, "--version").out == f"oxide {project['version']}\n"


def test_a_reader_that_goes_away_is_no_error(env: dict[str, str], live: LiveOxide) -> None:
    for _ in range(100):  # more than a pipe holds
        live.execute(service="echo", prompt="x" * 500)
    for command in (["history", "--json", "--limit", "100"], ["watch"]):
        with running(env, *command) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(1)
            process.stdout.close()
            live.execute(service="echo")
            assert process.wait(10) == 141
            assert process.stderr.read() == b""


def test_who_reads_only_the_beginning_of_an_answer_calls_its_task_off(
    env: dict[str, str], provider: FakeProvider
) -> None:
    provider.pace(0.1, "first")
    provider.say("first", text="word " * 500)
    with running(env, "ask", PROMPT) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(10) == 141
    wait_until(lambda: provider.hangups >= 1)


# At a terminal


def test_long_work_shows_that_it_goes_on_and_leaves_only_the_answer(
    env: dict[str, str], provider: FakeProvider
) -> None:
    provider.misbehave("slow", service="first", seconds=1.2)
    with terminal(env, "run", PROMPT) as opened:
        assert opened.wait() == 0
    assert "\x1b[33m" in opened.screen
    assert "Oxide works on it: 1 s" in opened.screen
    answer, about = opened.left.splitlines()
    assert answer == TEXT
    assert "first · alpha · 1." in about


def test_without_colour_it_can_be_read_as_well(env: dict[str, str], provider: FakeProvider) -> None:
    provider.misbehave("slow", service="first", seconds=0.7)
    with terminal({**env, "NO_COLOR": "1"}, "run", PROMPT) as opened:
        assert opened.wait() == 0
    assert "Oxide works on it" in opened.screen
    assert "\x1b[" not in opened.screen.replace("\r\x1b[K", "")
    with terminal({**env, "TERM": "dumb"}, "run", PROMPT) as opened:
        assert opened.wait() == 0
    assert opened.screen == f"{TEXT}\n"


def test_quick_work_shows_no_progress(env: dict[str, str]) -> None:
    with terminal(env, "ask", PROMPT, "--service", "echo") as opened:
        assert opened.wait() == 0
    assert "works on it" not in opened.screen


def test_progress_goes_to_standard_error_where_the_answer_goes_into_a_pipe(env: dict[str, str]) -> None:
    shown = subprocess.run(
        ["sh", "-c", f"oxide run '{PROMPT}' 2>/dev/null"],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert shown.stdout == f"{TEXT}\n"


def test_what_a_model_writes_does_not_steer_the_terminal(env: dict[str, str], provider: FakeProvider) -> None:
    provider.say("first", text="\x1b]0;mine\x07 red\x1b[31m")
    for command in ("run", "ask"):
        with terminal(env, command, PROMPT) as opened:
            assert opened.wait() == 0
        assert "\x1b]" not in opened.screen
        assert "\x1b[31m" not in opened.screen
    assert piped(env, "run", PROMPT).out == "\x1b]0;mine\x07 red\x1b[31m\n"


def test_a_table_fits_the_terminal(env: dict[str, str], live: LiveOxide) -> None:
    live.execute(service="echo", prompt="漢字 " * 60)
    with terminal(env, "history", "--limit", "3", columns=130) as opened:
        assert opened.wait() == 0
    head, first, *_ = opened.screen.splitlines()
    assert head.startswith("\x1b[1mID")
    assert first.endswith("…")
    wide = sum(sign in "漢字" for sign in first)
    assert 120 < len(first) + wide <= 130


def test_without_a_prompt_at_a_terminal_it_says_what_to_write(env: dict[str, str]) -> None:
    with terminal(env, "ask") as opened:
        assert opened.wait() == 2
    assert "oxide ask" in opened.screen


def test_the_module_runs_without_being_installed(env: dict[str, str]) -> None:
    import sys

    done: Any = subprocess.run(
        [sys.executable, "-m", "oxide_client", "run", "Hello", "--service", "echo"],
        env=env, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "Hello\n"
