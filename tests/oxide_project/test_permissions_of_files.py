"""Nobody else on the machine reads what Oxide keeps."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from oxide_project import permissions_of_files as files
from tests.live import LiveOxide


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_that_was_there_with_an_open_database_is_closed(live: LiveOxide) -> None:
    data = live.folder / "var"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    live.start()
    assert live.execute(service="echo").status_code == 200
    live.kill()  # so that the log of the database stays
    for path in data.iterdir():
        path.chmod(0o644)
    data.chmod(0o777)
    live.start()
    assert live.execute(service="echo").status_code == 200
    assert mode(data) == 0o700
    names = {path.name: oct(mode(path)) for path in data.iterdir()}
    assert {"oxide.sqlite3", "oxide.sqlite3-wal", "secret.key", "serve.lock"} <= names.keys()
    assert set(names.values()) == {"0o600"}


def test_a_new_database_is_never_open_to_others(tmp_path: Path) -> None:
    files.create_closed(tmp_path / "oxide.sqlite3")
    assert mode(tmp_path / "oxide.sqlite3") == 0o600


def test_a_shared_folder_and_other_files_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "other.txt").touch(0o644)
    (tmp_path / "oxide.sqlite3").touch(0o644)
    files.close_data_folder(tmp_path)
    assert (mode(tmp_path), mode(tmp_path / "other.txt")) == (0o1777, 0o644)
    assert mode(tmp_path / "oxide.sqlite3") == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch(0o644)
    (tmp_path / "secret.key").symlink_to(target)
    files.close_data_folder(tmp_path)
    assert mode(target) == 0o644


@pytest.mark.parametrize(
    "value",
    [
        "change-me-to-48-random-characters",
        "CHANGEME-0123456789-0123456789-abc",
        "django-insecure-0123456789abcdefghijkl",
    ],
)
def test_a_secret_that_was_copied_from_an_example_is_refused(live: LiveOxide, value: str) -> None:
    live.environment["OXIDE_SECRET_KEY"] = value
    live.write_config()
    done = live.run("serve", check=False)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("oxide: OXIDE_SECRET_KEY is an example")
    assert value not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://oxide:change-me@127.0.0.1/oxide"),
        ("REDIS_URL", "redis://:change-me@127.0.0.1:6379/0"),
    ],
)
def test_so_is_a_password_of_an_example(live: LiveOxide, name: str, value: str) -> None:
    live.environment[name] = value
    live.write_config()
    done = live.run("serve", check=False)
    assert done.returncode != 0
    assert f"oxide: {name} has the password of an example" in done.stderr
