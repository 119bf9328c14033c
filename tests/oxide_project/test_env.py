"""Each wrong value is one line that names its variable."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from oxide_project import env

ROOT = Path(__file__).resolve().parent.parent.parent
LONG_ENOUGH = "0123456789-abcdefghij-0123456789-xyz"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set OXIDE_X."""
    return lambda value: monkeypatch.setenv("OXIDE_X", value)


def refused(read: Callable[[], object]) -> str:
    """The message that a value is refused with: one line that begins with its variable."""
    with pytest.raises(ImproperlyConfigured) as caught:
        read()
    message = str(caught.value)
    assert message.startswith("OXIDE_X")
    assert "\n" not in message
    return message


def test_what_is_not_set_or_blank_is_the_default(given: Callable[[str], None], tmp_path: Path) -> None:
    for value in (None, "", "  "):
        if value is not None:
            given(value)
        assert env.text("OXIDE_X", "default") == "default"
        assert env.boolean("OXIDE_X", True) is True
        assert env.integer("OXIDE_X", 5, minimum=1, maximum=9) == 5
        assert env.choice("OXIDE_X", "a", ["a", "b"]) == "a"
        assert env.listing("OXIDE_X", ["a"]) == ["a"]
        assert env.directory("OXIDE_X", tmp_path) == tmp_path.resolve()


def test_space_around_a_value_does_not_count(given: Callable[[str], None]) -> None:
    given(" 7 ")
    assert env.text("OXIDE_X") == "7"
    assert env.integer("OXIDE_X", 5, minimum=1, maximum=9) == 7


@pytest.mark.parametrize(("value", "meant"), [("true", True), ("On", True), ("1", True), ("NO", False), ("0", False)])
def test_true_and_false_have_several_names(given: Callable[[str], None], value: str, meant: bool) -> None:
    given(value)
    assert env.boolean("OXIDE_X", not meant) is meant


def test_anything_else_is_neither_true_nor_false(given: Callable[[str], None]) -> None:
    given("maybe")
    assert refused(lambda: env.boolean("OXIDE_X", True)) == "OXIDE_X must be true or false, not 'maybe'."


@pytest.mark.parametrize("value", ["abc", "1.5", "1e3", "0x10", "9" * 5000])
def test_an_integer_must_be_one(given: Callable[[str], None], value: str) -> None:
    given(value)
    assert "must be a whole number" in refused(lambda: env.integer("OXIDE_X", 5, minimum=1, maximum=9))


@pytest.mark.parametrize("value", ["0", "10", "-3"])
def test_an_integer_keeps_its_bounds(given: Callable[[str], None], value: str) -> None:
    given(value)
    told = refused(lambda: env.integer("OXIDE_X", 5, minimum=1, maximum=9))
    assert told == f"OXIDE_X must be between 1 and 9, not {value}."


def test_a_choice_is_one_of_a_few(given: Callable[[str], None]) -> None:
    given("c")
    assert refused(lambda: env.choice("OXIDE_X", "a", ["a", "b"])) == "OXIDE_X must be one of a, b, not 'c'."


def test_a_list_has_commas_and_no_empty_items(given: Callable[[str], None]) -> None:
    given("a, b,,c ,")
    assert env.listing("OXIDE_X", []) == ["a", "b", "c"]


def test_a_missing_folder_is_made_for_its_owner_alone(given: Callable[[str], None], tmp_path: Path) -> None:
    given(str(tmp_path / "new" / "data"))
    made = env.directory("OXIDE_X", tmp_path)
    assert made == tmp_path / "new" / "data"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_file_is_no_folder(given: Callable[[str], None], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        given(str(path))
        assert str(path) in refused(lambda: env.directory("OXIDE_X", tmp_path))


@pytest.mark.parametrize("path", ["/proc/oxide", "~nobody-of-this-name/data"])
def test_a_folder_that_cannot_be_made_is_refused(given: Callable[[str], None], path: str, tmp_path: Path) -> None:
    given(path)
    refused(lambda: env.directory("OXIDE_X", tmp_path))


def test_a_secret_that_is_given_is_not_written_down(given: Callable[[str], None], tmp_path: Path) -> None:
    given(LONG_ENOUGH)
    assert env.secret("OXIDE_X", tmp_path / "secret.key") == LONG_ENOUGH
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("weak", ["short", "a" * 64, "abcabc" * 10])
def test_a_weak_secret_is_refused_and_not_shown(given: Callable[[str], None], weak: str, tmp_path: Path) -> None:
    given(weak)
    assert weak not in refused(lambda: env.secret("OXIDE_X", tmp_path / "secret.key"))


def test_a_secret_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    made = env.secret("OXIDE_X", file)
    assert len(made) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert env.secret("OXIDE_X", file) == made
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("left", ["", "half"])
def test_a_secret_file_that_lost_its_secret_stops_the_start(left: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.write_text(left)
    assert str(file) in refused(lambda: env.secret("OXIDE_X", file))


def test_a_secret_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.mkdir()
    assert str(file) in refused(lambda: env.secret("OXIDE_X", file))


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from oxide_project import env; print(flush=True); input();"
        "print(env.secret('OXIDE_X', Path(sys.argv[1], 'secret.key')))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout
        process.stdout.readline()  # it is at the starting line
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    secrets = {process.communicate()[0].strip() for process in processes}
    assert len(secrets) == 1
    assert secrets == {(tmp_path / "secret.key").read_text()}
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
