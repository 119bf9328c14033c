"""What docs/deploying/container.md says, done: see `engine.py` for what stands in for a container engine."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import requests

from oxide_project import settings
from tests.deploying import compose, engine
from tests.deploying.container import Container
from tests.deploying.engine import Engine
from tests.docs.pages import DOCS
from tests.documents import blocks_of
from tests.live import ROOT
from tests.programs import program
from tests.servers import PASSWORD, Postgres

RUN, OWN_CONFIGURATION, COPY, COMPOSE, DUMP = blocks_of(DOCS / "deploying" / "container.md")
CONFIGURATION = "services: {echo: {type: builtin}}\n"


@pytest.mark.slow
@pytest.mark.xdist_group("image")
def test_the_image_is_built_run_given_a_configuration_of_its_own_and_its_database_copied(
    container: Container, tmp_path: Path
) -> None:
    docker = Engine(container, tmp_path)
    build, run, logs = engine.commands(RUN.code)
    docker.do(build)
    docker.do(run)
    assert re.search(r"Made the user admin with the password \S+", docker.do(logs))
    assert requests.get(f"{container.url}/api/services/", timeout=30).status_code == 401
    assert docker.stop_timeout >= settings.DRAIN_SECONDS + 10
    container.stop()

    as_before = run.removeprefix("docker run ").rpartition(" ")[0]
    run_again, reload = engine.commands(OWN_CONFIGURATION.code.replace("…", as_before))
    (tmp_path / "oxide.yaml").write_text(CONFIGURATION)
    docker.do(run_again)
    (container.image.root / "etc/oxide/oxide.yaml").write_text(CONFIGURATION.replace("}}", "}, mine: {type: builtin}}"))
    assert "1 added (mine)" in docker.do(reload)

    for command in engine.commands(COPY.code):
        docker.do(command)
    assert (tmp_path / "copy.sqlite3").read_bytes().startswith(b"SQLite format 3")


def test_compose_is_given_its_secrets_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    fill_in, *then = COMPOSE.code.splitlines()
    for name in ("compose.yaml", "deploy/compose.env.example"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run(["bash", "-euc", fill_in], cwd=tmp_path, check=True, timeout=30)
    written = tmp_path / ".env"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    values = dict(re.findall(r"^(\w+)=(.*)$", written.read_text(), flags=re.MULTILINE))
    secrets = [name for name, value in values.items() if not value]
    assert len(secrets) == 3
    up, logs = map(engine.parsed, engine.commands("\n".join(then)))
    assert (up.step, logs.step, logs.service) == ("up", "logs", "oxide")
    assert compose.interpolated({**values, **dict.fromkeys(secrets, "a-secret-of-at-least-32-characters")})


@pytest.mark.slow
@pytest.mark.xdist_group("scaled")
def test_its_database_is_copied_by_the_program_in_its_own_container(tmp_path: Path) -> None:
    line, _, file = DUMP.code.strip().partition(" > ")
    within = engine.parsed(line)
    image = compose.FILE["services"][within.service]["image"]
    assert image.startswith("postgres:")
    with Postgres() as server, server.database("oxide"):
        place = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGPASSWORD": PASSWORD}
        with (tmp_path / file).open("wb") as dump:
            command = [program(within.command[0]), *within.command[1:]]
            subprocess.run(command, env=place, stdout=dump, check=True, timeout=60)
    assert (tmp_path / file).read_bytes().startswith(b"PGDMP")
