from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from services.models import Service

PROJECT = Path(__file__).resolve().parent.parent.parent
ECHO = "services:\n  echo: {type: builtin}\n"


def run(command: str, path: Path) -> str:
    output = StringIO()
    call_command(command, config=path, stdout=output)
    return output.getvalue()


@pytest.mark.django_db
def test_seed_tells_what_it_did(write: Callable[[str], Path]) -> None:
    path = write(ECHO)
    assert run("seed", path) == f"{path}: services: 1 added (echo).\n"
    assert run("seed", path) == f"{path}: nothing to change.\n"


@pytest.mark.django_db
def test_reload_tells_when_running_processes_follow(write: Callable[[str], Path]) -> None:
    run("seed", write(ECHO))
    path = write(ECHO.replace("}", ", enabled: false}"))
    assert run("reload", path) == (
        f"{path}: services: 1 changed (echo: enabled). Running processes follow within about a second.\n"
    )
    assert run("reload", path) == f"{path}: nothing to change.\n"


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["seed", "reload"])
def test_the_configured_file_is_the_default(command: str, write: Callable[[str], Path], settings: Settings) -> None:
    settings.CONFIG_FILE = write(ECHO)
    call_command(command, stdout=StringIO())
    assert Service.objects.get().name == "echo"


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["seed", "reload"])
def test_an_invalid_file_is_refused(command: str, write: Callable[[str], Path]) -> None:
    with pytest.raises(CommandError, match=r"oxide.yaml, line 2, services.echo.enabled: must be true or false"):
        run(command, write("services:\n  echo: {type: builtin, enabled: 1}\n"))
    assert not Service.objects.exists()


def manage(data: Path, *arguments: str) -> subprocess.Popen[str]:
    # The settings of the tests would put a data folder of their own in the place of this one.
    settings = {
        "DJANGO_SETTINGS_MODULE": "oxide_project.settings",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "OXIDE_LOG_LEVEL": "",
    }
    own = {**settings, "OXIDE_DATA_DIR": str(data)}
    return subprocess.Popen(
        [sys.executable, PROJECT / "manage.py", *arguments],
        env={**os.environ, **own},
        cwd=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_the_process_ends_with_1_and_one_problem_a_line(write: Callable[[str], Path], tmp_path: Path) -> None:
    path = write("services:\n  a: {type: builtin, enabled: 1}\n  b: {type: builtin, enabled: 2}\n")
    process = manage(tmp_path, "reload", "--config", str(path))
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, "")
    assert errors.splitlines() == [
        "CommandError: oxide.yaml, line 2, services.a.enabled: must be true or false (got 1)",
        "oxide.yaml, line 3, services.b.enabled: must be true or false (got 2)",
    ]


@pytest.mark.slow
def test_a_database_without_tables_is_told_in_a_line(write: Callable[[str], Path], tmp_path: Path) -> None:
    process = manage(tmp_path, "seed", "--config", str(write(ECHO)))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "manage.py migrate" in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_processes_that_seed_at_the_same_time_share_the_work(tmp_path: Path) -> None:
    migration = manage(tmp_path, "migrate", "--verbosity", "0")
    assert migration.communicate(timeout=60)[1] == ""
    processes = [manage(tmp_path, "seed") for _ in range(3)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], answers
    assert sorted("7 added" in output for output, _ in answers) == [False, False, True]
    assert sum("nothing to change" in output for output, _ in answers) == 2
