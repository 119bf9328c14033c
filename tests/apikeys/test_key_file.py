"""Writing one key into a file that somebody else has written."""

from __future__ import annotations

import difflib
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from apikeys import key_file
from apikeys.key_file import KeyFileError, NotInFileError, NotWritableError
from tests import canary

PROJECT = Path(__file__).resolve().parent.parent.parent
SHIPPED = PROJECT / "config" / "default.yaml"
KEY = canary.provider_key("in the file")


def difference(before: str, after: str) -> list[str]:
    """The lines that are other ones, as `-old` and `+new`."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "oxide.yaml"


# What changes, and what stays


@pytest.mark.parametrize("service", ["openrouter", "openai", "anthropic", "gemini", "lmstudio"])
def test_a_new_key_is_one_new_line_in_the_shipped_file(service: str) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    result = key_file.changed(text, service, KEY)
    assert difference(text, result) == [f'+    api_key: "{KEY}"']
    assert yaml.safe_load(result)["services"][service]["api_key"] == KEY


def test_another_key_changes_that_line_alone() -> None:
    first = key_file.changed(SHIPPED.read_text(encoding="utf-8"), "openrouter", "sk-the-first-one")
    second = key_file.changed(first, "openrouter", KEY)
    assert difference(first, second) == ['-    api_key: "sk-the-first-one"', f'+    api_key: "{KEY}"']


def test_a_new_key_stands_below_the_name_of_its_variable() -> None:
    lines = key_file.changed(SHIPPED.read_text(encoding="utf-8"), "openai", KEY).splitlines()
    assert lines[lines.index(f'    api_key: "{KEY}"') - 1] == "    api_key_env: OPENAI_API_KEY"


ODD = """\
# A file with habits.
services:   # all of them
      'wide':
           type:   http   # deep
           "api":  openai

           # about the address
           base_url: 'http://localhost:1/v1'    # quoted
           models: [ a,b,   c ]
           price:   {input_per_million: 0,output_per_million: 1}


      flow: {type: http,api: openai, base_url: "http://localhost:2/v1"   }   # a row
      several: {
        type: http,  # over
        base_url: http://localhost:3/v1  # lines
      }
      old: {type: cli, api_key: 'it''s old', command: [a]}
      empty:
        type: cli
        api_key:    # none yet
        command: [a]
      bare: {type: cli, api_key: , command: [a]}
      folded:
        type: cli
        api_key: >-
          much
          too long
        command:
        - a
      block:
        type: cli
        api_key: |
          in a block
        # after it
        command: [a]
      last:
        type: builtin"""


@pytest.mark.parametrize(
    ("service", "changes"),
    [
        ("wide", ['+           api_key: "K"']),
        (
            "flow",
            [
                '-      flow: {type: http,api: openai, base_url: "http://localhost:2/v1"   }   # a row',
                '+      flow: {type: http,api: openai, base_url: "http://localhost:2/v1", api_key: "K"   }   # a row',
            ],
        ),
        (
            "several",
            [
                "-        base_url: http://localhost:3/v1  # lines",
                '+        base_url: http://localhost:3/v1, api_key: "K"  # lines',
            ],
        ),
        (
            "old",
            [
                "-      old: {type: cli, api_key: 'it''s old', command: [a]}",
                '+      old: {type: cli, api_key: "K", command: [a]}',
            ],
        ),
        ("empty", ["-        api_key:    # none yet", '+        api_key: "K"    # none yet']),
        (
            "bare",
            [
                "-      bare: {type: cli, api_key: , command: [a]}",
                '+      bare: {type: cli, api_key: "K" , command: [a]}',
            ],
        ),
        (
            "folded",
            ["-        api_key: >-", "-          much", "-          too long", '+        api_key: "K"'],
        ),
        ("block", ["-        api_key: |", "-          in a block", '+        api_key: "K"']),
        ("last", ['+        api_key: "K"']),
    ],
)
def test_every_way_of_writing_is_kept(service: str, changes: list[str]) -> None:
    result = key_file.changed(ODD, service, "K")
    assert difference(ODD, result) == changes
    assert yaml.safe_load(result)["services"][service]["api_key"] == "K"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff", "---\n"])
def test_newlines_and_the_start_of_the_file_are_kept(start: str, newline: str, path: Path) -> None:
    text = f"{start}services:\n  a:\n    type: cli\n    command: [a]\n".replace("\n", newline)
    path.write_bytes(text.encode())
    key_file.write(path, "a", KEY)
    assert path.read_bytes().decode() == text.replace("type: cli", f'type: cli{newline}    api_key: "{KEY}"')


@pytest.mark.parametrize(
    "key", ['"', "\\", "a\\nb", "#x", "a: b".replace(" ", ""), "true", "1e5", "'", "{x}", "~", "%"]
)
def test_every_character_of_a_key_survives(key: str, path: Path) -> None:
    path.write_text("services:\n  a: {type: cli}\n  b:\n    type: cli\n")
    key_file.write(path, "a", key)
    key_file.write(path, "b", key)
    assert key_file.read(path) == {"a": key, "b": key}


# What is refused, and left as it was


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("services:\n  a: {type: cli\n", "not valid YAML", 3),
        ("services:\n  a:\n    type: cli\n\tapi_key: sk-secret\n", "not valid YAML", 4),
        ("a: 1\n---\nservices: {}\n", "not valid YAML", 2),
        ("services:\n  a: {type: cli}\n  a: {type: cli}\n", "twice", 3),
        ("services:\n  a: {type: cli, api_key: x, api_key: y}\n", "twice", 2),
        ("services:\n  a:\n", "must hold fields", 2),
        ("- services\n", "must hold fields", 1),
        ("", "must hold fields", None),
        ("services:\n  a: {command: [a]}\n", "no type", None),
        ("services:\n  b: &b {type: cli}\n  a: *b\n", "cannot be changed safely", None),
        (
            "services:\n  b: {type: cli, api_key: &k x}\n  a: {type: cli, api_key: *k}\n",
            "cannot be changed safely",
            None,
        ),
        (
            "services:\n  a: {type: cli, api_key: &k x}\n  b: {type: cli, api_key: *k}\n",
            "cannot be changed safely",
            None,
        ),
    ],
)
def test_what_cannot_be_changed_safely_is_refused_and_left_alone(
    text: str, message: str, line: int | None, path: Path
) -> None:
    path.write_text(text)
    with pytest.raises(KeyFileError, match=message) as caught:
        key_file.write(path, "a", KEY)
    assert caught.value.line == line
    assert "secret" not in str(caught.value)
    assert path.read_text() == text
    assert {entry.name for entry in path.parent.iterdir()} <= {path.name, f".{path.name}.lock"}


@pytest.mark.parametrize("text", ["services:\n  b: {type: cli}\n", "routing: {}\n"])
def test_a_service_that_the_file_does_not_declare_is_refused(text: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(NotInFileError, match=r"not declare|no services"):
        key_file.write(path, "a", KEY)
    assert path.read_text() == text


def test_text_that_is_not_utf_8_is_refused_with_its_line(path: Path) -> None:
    path.write_bytes(b"services:\n  a: {type: \xff}\n")
    with pytest.raises(KeyFileError, match="UTF-8") as caught:
        key_file.write(path, "a", KEY)
    assert caught.value.line == 2


def test_a_file_that_is_not_there_holds_no_keys_and_takes_none(path: Path) -> None:
    assert key_file.read(path) == {}
    with pytest.raises(KeyFileError, match="does not exist"):
        key_file.write(path, "a", KEY)
    assert not path.exists()


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotWritableError, match="make it and its folder writable"):
        key_file.write(tmp_path, "a", KEY)
    with pytest.raises(KeyFileError, match="check its permissions"):
        key_file.read(tmp_path)


def test_only_texts_are_read_as_keys(path: Path) -> None:
    path.write_text("services:\n  a: {api_key: ' x '}\n  b: {api_key: 5}\n  c: {api_key: ''}\n  d:\n  e: {type: cli}\n")
    assert key_file.read(path) == {"a": "x"}


# The file on the disk


def test_only_its_owner_may_read_the_file_afterwards(path: Path) -> None:
    path.write_text("services:\n  a: {type: cli}\n")
    path.chmod(0o664)
    key_file.write(path, "a", KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_file_stays_whose_it_was(path: Path) -> None:
    path.write_text("services:\n  a: {type: cli}\n")
    os.chown(path, 12345, 23456)
    key_file.write(path, "a", KEY)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_link_goes_on_leading_to_the_file(path: Path, tmp_path: Path) -> None:
    path.write_text("services:\n  a: {type: cli}\n")
    link = tmp_path / "links" / "current.yaml"
    link.parent.mkdir()
    link.symlink_to(path)
    key_file.write(link, "a", KEY)
    assert link.is_symlink()
    assert key_file.read(path) == {"a": KEY}
    assert [entry.name for entry in link.parent.iterdir()] == ["current.yaml"]


def test_what_a_crash_has_left_behind_goes_with_the_next_write(path: Path) -> None:
    path.write_text("services:\n  a: {type: cli}\n")
    leftover = path.with_name(f".{path.name}.new")
    leftover.write_text("half of a f")
    key_file.write(path, "a", KEY)
    assert not leftover.exists()
    assert key_file.read(path) == {"a": KEY}


# Several at once


def many(path: Path) -> list[str]:
    names = [f"service-{number}" for number in range(20)]
    path.write_text("services:\n" + "".join(f"  {name}: {{type: cli}}  # {name}\n" for name in names))
    return names


def test_threads_that_write_at_once_lose_nothing(path: Path) -> None:
    names = many(path)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda name: key_file.write(path, name, f"key-of-{name}"), names))
    assert key_file.read(path) == {name: f"key-of-{name}" for name in names}


WRITER = """
import sys
from pathlib import Path
from apikeys import key_file
for name in sys.argv[2:]:
    key_file.write(Path(sys.argv[1]), name, "key-of-" + name)
"""


def writer(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    names = many(path)
    before = path.read_text()
    processes = [writer(WRITER, str(path), *names[start::2]) for start in range(2)]
    for process in processes:
        assert process.communicate(timeout=60)[1] == ""
    assert key_file.read(path) == {name: f"key-of-{name}" for name in names}
    for name in names:
        before = before.replace(f"{name}: {{type: cli}}", f'{name}: {{type: cli, api_key: "key-of-{name}"}}')
    assert path.read_text() == before


KILLED_AT_EACH_STEP = """
import os, signal, sys
from pathlib import Path
from apikeys import key_file


def write(step):
    taken = 0
    def watch(frame, event, function):
        nonlocal taken
        taken += Path(frame.f_code.co_filename).name in ("key_file.py", "pathlib.py")
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(watch)
    key_file.write(path, "a", "new")
    os._exit(0)

path = Path(sys.argv[1])
before = path.read_bytes()
after = before.replace(b"old", b'"new"')
kept = replaced = step = 0
while True:
    step += 1
    child = os.fork() or write(step)
    _, status = os.waitpid(child, 0)
    kept += path.read_bytes() == before
    replaced += path.read_bytes() == after
    if kept + replaced < step:
        sys.exit(f"killed at step {step}, it left {path.read_bytes()!r}")
    if os.WIFEXITED(status):
        break
    path.write_bytes(before)
key_file.write(path, "a", "new")
print(kept, replaced, path.read_bytes() == after)
"""


def test_killed_at_any_step_it_leaves_the_old_file_or_the_new_one(path: Path) -> None:
    path.write_text("services:\n  a:  # kept\n    {type: cli, api_key: old}\n")
    output, errors = writer(KILLED_AT_EACH_STEP, str(path)).communicate(timeout=100)
    assert errors == ""
    kept, replaced, whole_in_the_end = output.split()
    assert int(kept) > 20
    assert int(replaced) > 2
    assert whole_in_the_end == "True"
    assert sorted(entry.name for entry in path.parent.iterdir()) == [f".{path.name}.lock", path.name]
