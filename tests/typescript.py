"""The TypeScript client as its readers have it: built, packed and installed in a project of their own."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.documents import Block, blocks_of
from tests.live import ROOT
from tests.made_once import made_once
from tests.programs import program
from tests.watch import watch

CLIENT = ROOT / "clients" / "typescript"
PAGE = ROOT / "docs" / "clients-typescript.md"
SCRIPTS = ROOT / "tests" / "clients" / "typescript" / "scripts"
# What is there for work on the client, and for its tests.
_TOOLS = ("typescript", "@typescript", "@types", "undici-types", "ws")
_MADE = shutil.ignore_patterns("node_modules", "dist", "*.tgz")


class Workspace:
    """A folder with our scripts in which the client is installed."""

    def __init__(self, folder: Path, installed: Path) -> None:
        self.folder = folder
        (folder / "node_modules").symlink_to(installed / "node_modules")
        (folder / "package.json").write_text('{"type": "module"}')
        shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)

    @property
    def client(self) -> Path:
        return (self.folder / "node_modules" / "oxide-client").resolve()

    def write(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return name

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """What a script prints. It must end well."""
        done = subprocess.run(
            self.node(*command),
            cwd=self.folder,
            env=surroundings(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        watch.note("node", done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def see(self, *command: str, environment: Mapping[str, str] | None = None) -> Any:
        """What a script prints, as JSON."""
        return json.loads(self.run(*command, environment=environment))

    def glance(self, code: str, seconds: float = 20) -> str:
        """What a script prints before it ends, or before it is ended because it goes on for ever."""
        (self.folder / "with-socket.mjs").write_text(
            "import { WebSocket } from 'ws';\nglobalThis.WebSocket ??= WebSocket;\n"
        )
        command = self.node("--import", "./with-socket.mjs", self.write("glance.mjs", code))
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout
            ready, _, _ = select.select([process.stdout], [], [], seconds)
            if ready:
                time.sleep(0.2)  # for the rest of what it has to say
            process.terminate()
            said: str = process.stdout.read().decode()
        assert process.returncode in (0, -signal.SIGTERM), said
        return said

    @contextmanager
    def talking(self, *command: str) -> Iterator[Iterator[Any]]:
        """A script that runs meanwhile: each of its lines as JSON, as soon as it is there."""
        with subprocess.Popen(self.node(*command), cwd=self.folder, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            try:
                yield map(json.loads, process.stdout)
            finally:
                process.terminate()

    def node(self, *command: str) -> list[str]:
        return [program("node"), *command]

    def compile(self, *files: str, options: Sequence[str] = ("--noEmit",)) -> str:
        """What the compiler complains of, at its strictest."""
        strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"]
        modules = ["--module", "nodenext", "--target", "es2022", "--ignoreConfig"]
        command = self.node("node_modules/typescript/bin/tsc", *strict, *modules, *options, *files)
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        ).stdout.strip()


def installed() -> Path:
    """A project with the client, made with the commands of the page; once for each state of the client."""
    return made_once(f"oxide-typescript-{_digest()}", _install) / "my-project"


def _install(made: Path) -> None:
    build, install = _commands()
    oxide, project = made / "oxide", made / "my-project"
    client = oxide / CLIENT.relative_to(ROOT)
    shutil.copytree(CLIENT, client, ignore=_MADE)
    project.mkdir()
    (project / "package.json").write_text('{"type": "module"}')
    program("npm")
    for block, place in ((build, oxide), (install, project)):
        quiet = {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
        shell = [program("bash"), "-e", "-c", block.code]
        done = subprocess.run(
            shell, cwd=place, env=surroundings(quiet), capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for tool in _TOOLS:
        (project / "node_modules" / tool).symlink_to(Path("../../oxide/clients/typescript/node_modules") / tool)


def _commands() -> list[Block]:
    return blocks_of(PAGE, "bash")


def _digest() -> str:
    files = [path for path in sorted(CLIENT.rglob("*")) if path.is_file() and not _is_made(path)]
    parts = [str(path.relative_to(CLIENT)).encode() + b"\0" + path.read_bytes() for path in files]
    parts += [block.code.encode() for block in _commands()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _is_made(path: Path) -> bool:
    return bool({"node_modules", "dist"} & set(path.relative_to(CLIENT).parts)) or path.suffix == ".tgz"


def surroundings(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, **(more or {})}
