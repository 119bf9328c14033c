from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from services.adapters import cli
from services.adapters.base import (
    ChatRequest,
    Checked,
    Connection,
    ErrorKind,
    Feature,
    Finish,
    ImagePart,
    JsonSchema,
    Message,
    ProviderError,
    Role,
    TextDelta,
    TextPart,
    Tool,
)
from services.adapters.call import Call, CancelToken
from services.adapters.cli import CliAdapter
from tests import canary
from tests.live import ROOT

MakeTool = Callable[..., CliAdapter]

SPAWN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
"""


@pytest.fixture
def make_tool(tmp_path: Path) -> MakeTool:
    """Makes a service of a Python script; further arguments are the script's own."""

    def make(script: str, *arguments: str, **connection: Any) -> CliAdapter:
        path = tmp_path / "tool.py"
        path.write_text(script)
        command = (sys.executable, str(path), *arguments)
        return CliAdapter(Connection(service="my_tool", command=command, **connection))

    return make


def say(role: Role, text: str) -> Message:
    return Message(role, (TextPart(text),))


def ask(text: str = "hello", model: str = "m") -> ChatRequest:
    return ChatRequest(model=model, messages=(say("user", text),))


def soon() -> Call:
    return Call.within(300)


def is_gone(pid: int) -> bool:
    """Whether the process has ended. A stranger's zombie counts as ended: init reaps it in its own time."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def failure(tool: CliAdapter, request: ChatRequest | None = None, call: Call | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        tool.complete(request or ask(), call or soon())
    return caught.value


# What goes in


def test_a_single_user_message_is_given_as_it_is(make_tool: MakeTool) -> None:
    tool = make_tool("import sys; print(repr(sys.stdin.read()))")

    assert tool.complete(ask("héllo\n"), soon()).text == repr("héllo\n")


def test_a_conversation_is_given_as_a_transcript_with_the_system_first(make_tool: MakeTool) -> None:
    tool = make_tool("import sys; print(sys.stdin.read())")
    messages = (say("user", "Hi"), say("assistant", "Hello"), say("system", "Be kind"), say("user", "Bye"))

    reply = tool.complete(ChatRequest(model="m", messages=messages), soon())

    assert reply.text == "System:\nBe kind\n\nUser:\nHi\n\nAssistant:\nHello\n\nUser:\nBye"


def test_the_model_is_put_into_the_arguments_without_a_shell(make_tool: MakeTool) -> None:
    tool = make_tool("import json, sys; print(json.dumps(sys.argv[1:]))", "-m", "{model}", "--as={model}", "$HOME;*")

    reply = tool.complete(ask(model="$(id) `id`"), soon())

    assert json.loads(reply.text) == ["-m", "$(id) `id`", "--as=$(id) `id`", "$HOME;*"]
    assert reply.model == "$(id) `id`"


def test_a_command_that_needs_a_model_says_so(make_tool: MakeTool) -> None:
    error = failure(make_tool("print('hi')", "{model}"), ask(model=""))

    assert error.kind is ErrorKind.UNSUPPORTED
    assert "default model" in error.message


def test_a_command_without_a_model_answers_in_the_programs_name(make_tool: MakeTool) -> None:
    reply = make_tool("print('hi')").complete(ask(model=""), soon())

    assert reply.model == Path(sys.executable).name


@pytest.mark.parametrize("model", ["--dangerous", "a\0b", "a\nb", "\ud800"])
def test_a_model_that_could_not_be_one_is_refused(make_tool: MakeTool, model: str) -> None:
    assert failure(make_tool("print('hi')", "{model}"), ask(model=model)).kind is ErrorKind.BAD_REQUEST


def test_the_model_never_chooses_the_program() -> None:
    tool = CliAdapter(Connection(service="my_tool", command=("{model}",)))

    error = failure(tool, ask(model=sys.executable))

    assert error.kind is ErrorKind.CONNECT
    assert "'{model}'" in error.message


PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
OWN = ["OXIDE_SECRET_KEY", "OXIDE_SECRET_KEY_FALLBACKS", "DATABASE_URL", "REDIS_URL", "DJANGO_SECRET_KEY", "PGPASSWORD"]
OTHERS = ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "SOME_TOKEN", "LD_PRELOAD_PATH"]


def test_a_program_sees_what_it_needs_and_what_its_service_names_and_nothing_else(
    make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*OWN, *OTHERS, "TOOL_HOME", "LC_ALL", "TZ", "https_proxy", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "C" if name == "LC_ALL" else "UTC" if name == "TZ" else "value")
    options = {"env": ["TOOL_HOME", "NOT_SET", *OWN]}
    tool = make_tool(PRINT_ENVIRONMENT, options=options, api_key_env="TOOL_KEY", api_key="k")

    environment = json.loads(tool.complete(ask(), soon()).text)

    assert {"PATH", "LC_ALL", "TZ", "https_proxy", "SSL_CERT_FILE", "TOOL_HOME"} <= environment.keys()
    assert environment["TOOL_KEY"] == "k"
    assert not {*OWN, *OTHERS, "NOT_SET"} & environment.keys()


@pytest.mark.parametrize("name", OWN)
def test_a_variable_of_oxides_own_is_no_key_for_a_program(make_tool: MakeTool, name: str) -> None:
    tool = make_tool(PRINT_ENVIRONMENT, api_key_env=name, api_key="something")

    assert name not in json.loads(tool.complete(ask(), soon()).text)


KEY = canary.provider_key("tool", start="sk-/+", end="=xyz")


@pytest.mark.parametrize("way", ["complete", "stream"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("written", [KEY, json.dumps(KEY), quote(KEY, safe="")], ids=["plain", "JSON", "address"])
def test_keys_are_left_out_of_what_a_program_answers(make_tool: MakeTool, written: str, size: int, way: str) -> None:
    said = f"The key is {written}, {KEY[:9]} in part, or {KEY[:6]} for short; sk- too."
    script = f"import sys\nfor at in range(0, {len(said)}, {size}):\n"
    script += f"    sys.stdout.write({said!r}[at:at + {size}]); sys.stdout.flush()"
    for connection in ({"api_key": KEY}, {"other_keys": lambda: (KEY,)}):
        tool = make_tool(script, **connection)
        if way == "complete":
            text = tool.complete(ask(), soon()).text
        else:
            text = "".join(event.text for event in tool.stream(ask(), soon()) if isinstance(event, TextDelta))
        assert text == said.replace(KEY, "[key]").replace(written, "[key]").replace(KEY[:9], "[key]")


def test_a_dummy_key_garbles_no_answer(make_tool: MakeTool) -> None:
    assert make_tool("print('Check that k is ok')", api_key="k").complete(ask(), soon()).text == "Check that k is ok"


def test_a_program_of_the_same_user_cannot_read_the_process_that_started_it() -> None:
    if sys.platform != "linux":
        pytest.skip("/proc is Linux's")
    code = (ROOT / "oxide_project" / "process_privacy.py").read_text()
    # Root may read everything: not as root, then, and as open to others as a process is that did not begin as root.
    begin = f"{code}\nimport subprocess\n"
    begin += "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    begin += "    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n"
    end = "\nprint(subprocess.run(['sh', '-c', 'cat /proc/$PPID/environ > /dev/null']).returncode)"
    found = {
        close: subprocess.run(
            [sys.executable, "-c", f"{begin}{close}{end}"], check=False, capture_output=True, text=True
        )
        for close in ("", "close_to_others()")
    }
    assert found[""].stdout.strip() == "0", found[""].stderr
    closed = found["close_to_others()"]
    assert closed.stdout.strip() == "1", closed.stderr
    assert "Permission denied" in closed.stderr


def test_it_does_not_run_in_the_folder_of_oxide(make_tool: MakeTool) -> None:
    assert make_tool("import os; print(os.getcwd())").complete(ask(), soon()).text == "/"


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest("m", (say("user", "hi"),), tools=(Tool("f"),)),
        ChatRequest("m", (say("user", "hi"),), json_schema=JsonSchema("s", {})),
        ChatRequest("m", (Message("user", (TextPart("hi"), ImagePart(url="http://localhost/i.png"))),)),
        ChatRequest("m", (say("user", "hi"),), json_object=True),
        ChatRequest("m", (say("user", "hi"),), needs=frozenset({Feature.ANTHROPIC})),
    ],
    ids=["tools", "json_schema", "images", "json_object", "protocol"],
)
def test_what_a_program_cannot_do_is_refused(make_tool: MakeTool, request_: ChatRequest) -> None:
    assert failure(make_tool("print('hi')"), request_).kind is ErrorKind.UNSUPPORTED


@pytest.mark.parametrize("script", ["print('done')", "import time; time.sleep(0.3); print('done')"])
def test_a_large_prompt_to_a_program_that_never_reads_it_is_no_trouble(make_tool: MakeTool, script: str) -> None:
    assert make_tool(script).complete(ask("x" * 5_000_000), soon()).text == "done"


def test_a_large_prompt_and_a_large_answer_do_not_block_each_other(make_tool: MakeTool) -> None:
    prompt = "wörd " * 600_000 + "end"
    tool = make_tool("import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)")

    assert tool.complete(ask(prompt), soon()).text == prompt


def test_a_prompt_that_is_no_valid_unicode_still_arrives(make_tool: MakeTool) -> None:
    tool = make_tool("import sys; print(sys.stdin.read())")

    assert tool.complete(ask("a\ud800b"), soon()).text == "a?b"


# What comes out


def test_tokens_are_estimated_and_say_so(make_tool: MakeTool) -> None:
    usage = make_tool("print('an answer')").complete(ask("a question"), soon()).usage

    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert not usage.reported


def test_a_stream_comes_as_the_program_writes(make_tool: MakeTool, tmp_path: Path) -> None:
    tool = make_tool(
        "import os, sys, time\n"
        "print('first', flush=True)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
        "print('second')",
        str(tmp_path / "go"),
    )

    events = tool.stream(ask(), soon())
    assert next(events) == TextDelta("first")
    (tmp_path / "go").touch()
    *deltas, finish = events

    assert deltas == [TextDelta("\nsecond")]
    assert isinstance(finish, Finish)
    assert finish.reason == "stop"
    assert finish.model == "m"
    assert not finish.usage.reported


def test_a_stream_says_the_same_as_a_whole_answer(make_tool: MakeTool) -> None:
    tool = make_tool(
        "import sys, time\n"
        "for piece in ['\\n a\\n', '\\n \\n', '\\n', 'b  ', '\\n', '\\n']:\n"
        "    sys.stdout.write(piece); sys.stdout.flush(); time.sleep(0.03)"
    )

    streamed = [event.text for event in tool.stream(ask(), soon()) if isinstance(event, TextDelta)]

    assert "".join(streamed) == tool.complete(ask(), soon()).text == "\n a\n\n \n\nb"


def test_a_character_that_is_split_between_two_writes_is_put_together(make_tool: MakeTool) -> None:
    tool = make_tool(
        "import sys, time\n"
        "for byte in '€uro 🦀'.encode():\n"
        "    sys.stdout.buffer.write(bytes([byte])); sys.stdout.flush(); time.sleep(0.01)"
    )

    streamed = [event.text for event in tool.stream(ask(), soon()) if isinstance(event, TextDelta)]

    assert "".join(streamed) == "€uro 🦀"
    assert len(streamed) > 1


def test_bytes_that_are_no_text_are_replaced(make_tool: MakeTool) -> None:
    tool = make_tool("import sys; sys.stdout.buffer.write(b'a\\xffb\\xe2\\x82')")

    assert tool.complete(ask(), soon()).text == "a\ufffdb\ufffd"


def test_an_answer_beyond_the_cap_is_stopped(make_tool: MakeTool) -> None:
    tool = make_tool(
        "import os\nprint(os.getpid(), flush=True)\nwhile True: print('x' * 1000)", max_reply_bytes=100_000
    )

    error = failure(tool)

    assert error.kind is ErrorKind.MALFORMED
    assert "OXIDE_MAX_REPLY_MB" in error.message
    assert error.partial
    assert len(error.partial.text) <= 100_000
    assert not psutil.pid_exists(int(error.partial.text.split()[0]))


def test_an_answer_just_at_the_cap_is_whole(make_tool: MakeTool) -> None:
    tool = make_tool("import sys; sys.stdout.write('x' * 100_000)", max_reply_bytes=100_000)

    assert tool.complete(ask(), soon()).text == "x" * 100_000


# How it fails


def test_a_failing_program_is_quoted_from_the_end_of_its_standard_error(make_tool: MakeTool) -> None:
    tool = make_tool(
        "import sys\nprint('so far', flush=True)\nsys.stderr.write('noise ' * 100_000 + 'the reason')\nsys.exit(3)"
    )

    error = failure(tool)

    assert error.kind is ErrorKind.SERVER
    assert "exit status 3" in error.message
    assert error.message.endswith("the reason")
    assert len(error.message) < 2_500
    assert error.partial
    assert error.partial.text == "so far"


def test_a_failing_program_breaks_its_stream(make_tool: MakeTool) -> None:
    events = make_tool("print('so far', flush=True); raise SystemExit(1)").stream(ask(), soon())

    assert next(events) == TextDelta("so far")
    with pytest.raises(ProviderError) as caught:
        next(events)
    assert caught.value.kind is ErrorKind.SERVER


def test_a_program_ended_by_a_signal_says_which(make_tool: MakeTool) -> None:
    error = failure(make_tool("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))

    assert error.kind is ErrorKind.SERVER
    assert "signal 9" in error.message


def test_the_key_is_never_quoted(make_tool: MakeTool) -> None:
    error = failure(make_tool("import sys; sys.exit('bad key sk-secret-key!')", api_key="sk-secret-key"))

    assert "bad key [key]!" in error.message
    assert "sk-secret-key" not in error.message


def test_an_empty_answer_is_not_an_answer(make_tool: MakeTool) -> None:
    error = failure(make_tool("import sys; print(); print('no model set', file=sys.stderr)"))

    assert error.kind is ErrorKind.MALFORMED
    assert "no model set" in error.message


def test_a_missing_program_is_named() -> None:
    tool = CliAdapter(Connection(service="my_tool", command=("no-such-program-here", "-m")))

    error = failure(tool)

    assert error.kind is ErrorKind.CONNECT
    assert "no-such-program-here" in error.message
    assert "PATH" in error.message


def test_a_program_that_cannot_start_says_why(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)

    error = failure(CliAdapter(Connection(service="my_tool", command=(str(script),))))

    assert error.kind is ErrorKind.CONNECT
    assert str(script) in error.message


def test_a_service_without_a_command_says_what_to_do() -> None:
    error = failure(CliAdapter(Connection(service="my_tool")))

    assert error.kind is ErrorKind.UNSUPPORTED
    assert "no command" in error.message


def test_a_check_finds_the_program_without_running_it(make_tool: MakeTool, tmp_path: Path) -> None:
    tool = make_tool("import pathlib, sys; pathlib.Path(sys.argv[1]).touch()", str(tmp_path / "ran"), "{model}")

    assert tool.check(soon()) == Checked()
    assert not (tmp_path / "ran").exists()


def test_a_check_misses_a_file_that_may_not_be_run(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho hi\n")
    script.chmod(0o644)

    with pytest.raises(ProviderError) as caught:
        CliAdapter(Connection(service="my_tool", command=(str(script),))).check(soon())
    assert caught.value.kind is ErrorKind.CONNECT


# How it ends


def test_the_deadline_ends_the_program_and_its_children(make_tool: MakeTool) -> None:
    tool = make_tool(SPAWN + "time.sleep(600)")
    error = failure(tool, call=Call.within(3))

    assert error.kind is ErrorKind.TIMEOUT
    assert error.partial
    child = int(error.partial.text)
    assert wait_until(lambda: is_gone(child))


def test_the_deadline_holds_while_a_large_prompt_is_half_read(make_tool: MakeTool) -> None:
    tool = make_tool("import os, time; os.read(0, 8192); time.sleep(600)")
    error = failure(tool, ask("x" * 5_000_000), Call.within(2))

    assert error.kind is ErrorKind.TIMEOUT
    assert error.partial is None


def test_a_call_whose_time_is_up_starts_nothing(make_tool: MakeTool, tmp_path: Path) -> None:
    tool = make_tool("import pathlib, sys; pathlib.Path(sys.argv[1]).touch()", str(tmp_path / "ran"))

    assert failure(tool, call=Call.within(0)).kind is ErrorKind.TIMEOUT
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("at_sigterm", ["signal.SIG_DFL", "signal.SIG_IGN", "lambda *_: sys.exit(0)"])
def test_a_cancel_from_another_thread_ends_the_program(make_tool: MakeTool, tmp_path: Path, at_sigterm: str) -> None:
    ready = tmp_path / "ready"
    tool = make_tool(
        "import os, pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, {at_sigterm})\n"
        "print(os.getpid(), flush=True)\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "time.sleep(600)",
        str(ready),
    )
    cancel = CancelToken()

    def cancel_when_ready() -> None:
        wait_until(ready.exists)
        cancel.cancel()

    canceller = threading.Thread(target=cancel_when_ready)
    canceller.start()
    error = failure(tool, call=Call.within(50, cancel))

    canceller.join()
    assert error.kind is ErrorKind.CANCELLED
    assert error.partial
    assert not psutil.pid_exists(int(error.partial.text))


def test_a_cancel_reaches_the_program_while_nobody_reads_the_stream(make_tool: MakeTool) -> None:
    call = soon()
    events = make_tool("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)").stream(ask(), call)
    first = next(events)
    assert isinstance(first, TextDelta)

    call.cancel.cancel()

    assert wait_until(lambda: is_gone(int(first.text)))
    with pytest.raises(ProviderError) as caught:
        next(events)
    assert caught.value.kind is ErrorKind.CANCELLED
    assert not psutil.pid_exists(int(first.text))


def test_closing_the_stream_ends_the_program_and_its_children(make_tool: MakeTool) -> None:
    events = make_tool("import os\nprint(os.getpid(), flush=True)" + SPAWN + "time.sleep(600)").stream(ask(), soon())
    said = ""
    while said.count("\n") < 1 or not said.split("\n")[1]:
        event = next(events)
        assert isinstance(event, TextDelta)
        said += event.text
    program, child = map(int, said.split())

    events.close()  # type: ignore[attr-defined]

    assert not psutil.pid_exists(program)
    assert wait_until(lambda: is_gone(child))


def test_a_program_is_not_waited_for_by_the_children_it_left_behind(make_tool: MakeTool) -> None:
    reply = make_tool(SPAWN).complete(ask(), soon())

    assert wait_until(lambda: is_gone(int(reply.text)))


def test_a_child_that_left_the_group_does_not_hold_up_the_answer(make_tool: MakeTool) -> None:
    reply = make_tool(SPAWN.replace('"])', '"], start_new_session=True)')).complete(ask(), soon())

    with suppress(ProcessLookupError):
        os.kill(int(reply.text), signal.SIGKILL)


def test_what_a_child_writes_just_after_the_program_has_ended_counts(
    make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_LINGER_SECONDS", 20.0)  # a busy machine may need longer than half a second
    # The child writes after its standard input has ended, which is when the program has ended.
    child = (
        "import sys, time; sys.stderr.write('ready\\n'); sys.stderr.flush(); "
        "sys.stdin.read(); time.sleep(0.3); print('late')"
    )
    tool = make_tool(
        "import os, subprocess, sys\n"
        f'command = [sys.executable, "-c", {child!r}]\n'
        "child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "child.stderr.readline()\n"
        "print('early', flush=True)\n"
        "os._exit(0)"
    )

    assert tool.complete(ask(), soon()).text == "early\nlate"


def test_a_program_that_closes_its_output_early_is_waited_for(make_tool: MakeTool) -> None:
    tool = make_tool(
        "import os, sys, time\nprint('done', flush=True)\nos.close(1); os.close(2)\ntime.sleep(0.5)\nos._exit(4)"
    )

    error = failure(tool)

    assert error.kind is ErrorKind.SERVER
    assert "exit status 4" in error.message


def test_no_zombie_and_no_open_file_is_left(make_tool: MakeTool) -> None:
    answering = make_tool("import sys; print(sys.stdin.read())")
    myself = psutil.Process()
    answering.complete(ask(), soon())
    files = myself.num_fds()

    for _ in range(3):
        answering.complete(ask(), soon())
        answering.stream(ask(), soon())
        next(answering.stream(ask(), soon()))

    assert [child for child in myself.children() if child.status() == psutil.STATUS_ZOMBIE] == []
    assert myself.num_fds() == files


def test_many_threads_share_one_adapter(make_tool: MakeTool) -> None:
    tool = make_tool("import sys; print(sys.stdin.read())")

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda number: tool.complete(ask(f"number {number}"), soon()).text, range(24)))

    assert texts == [f"number {number}" for number in range(24)]
