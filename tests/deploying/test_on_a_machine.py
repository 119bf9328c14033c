"""What docs/deploying/systemd.md and operating.md say, done one after the other as somebody would who reads them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.deploying import roots
from tests.deploying.machine import Machine
from tests.docs.likeness import pattern_of
from tests.docs.pages import DOCS
from tests.documents import blocks_of
from tests.live import START_SECONDS
from tests.programs import program
from tests.waiting import wait_until
from tests.watch import watch

INSTALL, SETTINGS = blocks_of(DOCS / "deploying" / "systemd.md")
BACK_UP, RESTORE, _IN_TEST_BACKUP, PRUNE, LOG = blocks_of(DOCS / "deploying" / "operating.md")

JOURNAL = "var/log/oxide.log"
DATA = "var/lib/oxide"
COPY = "var/backups/oxide/oxide.sqlite3"

pytestmark = pytest.mark.xdist_group("machine")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One on which Oxide was just installed."""
    roots.needed()
    for name in ("make", "systemctl", "useradd"):
        program(name, "/usr/sbin")
    made = Machine(tmp_path_factory.mktemp("machine"))
    try:
        made.run(INSTALL.code)
        serves(made)
        watch.follow(made.root / JOURNAL)
        yield made
    finally:
        made.close()
        watch.note_folder(made.root / DATA)


def serves(machine: Machine) -> None:
    def answers() -> bool:
        try:
            return requests.get(f"{machine.url}/health", timeout=5).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    wait_until(answers, START_SECONDS)


def history(machine: Machine) -> list[str]:
    answer = requests.get(f"{machine.url}/api/tasks/history/", timeout=30)
    return [task["prompt"] for task in answer.json()["tasks"]]


def do(machine: Machine, prompt: str) -> None:
    body = {"prompt": prompt, "service": "echo"}
    assert requests.post(f"{machine.url}/api/tasks/execute/", json=body, timeout=30).ok


def owner(machine: Machine, path: str) -> str:
    return machine.run(f"stat --format='%U:%G %a' /{path}").strip()


def test_it_runs_as_a_user_of_its_own_whose_files_others_cannot_read(machine: Machine) -> None:
    assert machine.run("stat --format=%U /proc/$(cat /run/oxide.pid)").strip() == "oxide"
    assert owner(machine, "etc/oxide/oxide.yaml") == "root:oxide 640"
    assert owner(machine, "etc/oxide/oxide.env") == "root:oxide 640"
    assert owner(machine, DATA) == "oxide:oxide 700"
    assert owner(machine, f"{DATA}/secret.key") == "oxide:oxide 600"


def test_it_is_started_with_the_machine_and_its_log_has_the_first_password(machine: Machine) -> None:
    assert (machine.root / "etc/systemd/system/multi-user.target.wants/oxide.service").is_symlink()
    assert re.search(r"Made the user admin with the password \S+", machine.run("journalctl -u oxide"))


def test_it_is_copied_while_it_serves_and_restored(machine: Machine) -> None:
    machine.run(f"install -d -o oxide -g oxide /{Path(COPY).parent}")
    do(machine, "before the copy")
    machine.as_service(BACK_UP.code)
    do(machine, "after the copy")
    assert owner(machine, COPY) == "oxide:oxide 600"
    machine.run(RESTORE.code)
    serves(machine)
    assert history(machine) == ["before the copy"]
    assert owner(machine, f"{DATA}/oxide.sqlite3") == "oxide:oxide 600"


def test_the_timers_do_the_same_as_the_commands(machine: Machine) -> None:
    machine.run(f"install -d -o oxide -g oxide /{Path(COPY).parent}")
    machine.run("cp /opt/oxide/deploy/systemd/oxide-* /etc/systemd/system/")
    machine.run("systemctl start oxide-backup && systemctl start oxide-prune")
    with closing(sqlite3.connect(machine.root / COPY)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_old_tasks_are_deleted(machine: Machine) -> None:
    assert re.fullmatch(r"Deleted \d+ tasks older than 90 days\.\n", machine.as_service(PRUNE.code))


def test_its_log_looks_as_the_page_shows(machine: Machine) -> None:
    machine.run("systemctl restart oxide")
    serves(machine)
    printed = machine.run("journalctl -u oxide").splitlines()
    for line in LOG.code.splitlines():
        assert any(pattern_of(line).fullmatch(each) for each in printed), printed


def test_what_is_set_in_the_environment_holds_after_a_restart(machine: Machine) -> None:
    with (machine.root / "etc/oxide/oxide.env").open("a") as file:
        file.write(SETTINGS.code)
    machine.run("systemctl restart oxide")
    serves(machine)
    assert requests.get(f"{machine.url}/api/services/", timeout=30).status_code == 401
    for host, status in {"oxide.example.org": 200, "elsewhere.example.org": 400}.items():
        answer = requests.get(f"{machine.url}/login", headers={"Host": host}, timeout=30)
        assert answer.status_code == status, host
