"""What is copied while Oxide serves can be served from."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from snapshots.connections import is_embedded
from tests.docs.pages import DOCS
from tests.documents import blocks_of
from tests.live import LiveOxide
from tests.programs import program
from tests.servers import Postgres

(DUMP,) = [block for block in blocks_of(DOCS / "deploying" / "operating.md") if "pg_dump" in block.code]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[LiveOxide]:
    """The Oxide that is made from the copy."""
    (tmp_path / "other").mkdir()
    oxide = LiveOxide(tmp_path / "other")
    yield oxide
    oxide.kill()


def history(oxide: LiveOxide) -> list[str]:
    return [task["id"] for task in oxide.get("/api/tasks/history/").json()["tasks"]]


def test_a_copy_of_sqlite_is_whole_and_can_be_served_from(live: LiveOxide, other: LiveOxide, tmp_path: Path) -> None:
    live.start()
    done = [live.execute(service="echo").json()["task_id"] for _ in range(3)]
    copy = tmp_path / "copy.sqlite3"
    told = live.run("backup", str(copy)).stdout
    assert str(copy) in told
    later = live.execute(service="echo").json()["task_id"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy.sqlite3"]
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    (other.folder / "var").mkdir(mode=0o700)
    shutil.copy(copy, other.folder / "var" / "oxide.sqlite3")
    shutil.copy(live.folder / "var" / "secret.key", other.folder / "var" / "secret.key")
    assert sorted(history(other.start())) == sorted(done)
    assert later in history(live)
    assert "Made the user admin" not in other.log  # the people are those of the copy


@pytest.fixture
def database(transactional_db: None) -> Path:
    if not is_embedded():
        pytest.skip("about SQLite")
    return Path(connection.settings_dict["NAME"])


def test_a_copy_replaces_the_one_before_and_only_when_it_is_whole(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    copy.write_text("the copy before")
    call_command("backup", str(copy), stdout=StringIO())
    assert copy.read_bytes().startswith(b"SQLite format 3")
    with pytest.raises(CommandError, match="could not be written: No such file or directory"):
        call_command("backup", str(tmp_path / "nowhere" / "copy.sqlite3"))


def test_the_database_itself_is_no_copy_of_it(database: Path) -> None:
    with pytest.raises(CommandError, match="name another file"):
        call_command("backup", str(database))


@pytest.mark.parametrize("place", [".", "/"])
def test_a_directory_is_no_place_for_a_copy(database: Path, place: str) -> None:
    with pytest.raises(CommandError, match="is a directory: name a file in it"):
        call_command("backup", place)


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_a_dump_of_postgresql_can_be_served_from(live: LiveOxide, other: LiveOxide, tmp_path: Path) -> None:
    dump = tmp_path / "oxide.dump"
    with Postgres() as server, server.database("oxide") as url, server.database("other") as other_url:
        live.environment["DATABASE_URL"] = url
        live.start()
        done = live.execute(service="echo").json()["task_id"]
        assert "pg_dump" in live.run("backup", str(dump), check=False).stderr
        to_dump, to_restore = DUMP.code.splitlines()
        run(to_dump, tmp_path, url)
        live.stop()
        run(to_restore, tmp_path, other_url)
        other.environment["DATABASE_URL"] = other_url
        assert history(other.start()) == [done]
        other.stop()


def run(line: str, folder: Path, url: str) -> None:
    places = map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    path = f"{Path(program('pg_dump', *places)).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DATABASE_URL": url}
    subprocess.run(["bash", "-euc", line], cwd=folder, check=True, capture_output=True, env=environment, timeout=60)
