"""In place of a container engine: what a guide tells it, done with the image that is a folder.

Only what is known here passes, so that no guide names an option that nobody looked at:
https://docs.docker.com/reference/cli/docker/
"""

from __future__ import annotations

import shlex
import shutil
from argparse import REMAINDER, ArgumentParser, Namespace
from pathlib import Path

from tests.deploying import compose
from tests.deploying.container import WRITABLE, Container
from tests.live import ROOT


def commands(code: str) -> list[str]:
    """One a line, without what continues or explains it."""
    lines = code.replace("\\\n", " ").splitlines()
    return [shlex.join(shlex.split(line, comments=True)) for line in lines if line.strip()]


def _parser() -> ArgumentParser:
    parser = ArgumentParser("docker", allow_abbrev=False)
    words = parser.add_subparsers(dest="word", required=True)
    build = words.add_parser("build")
    build.add_argument("--tag", required=True)
    build.add_argument("context")
    run = words.add_parser("run")
    for flag in ("--detach", "--read-only"):
        run.add_argument(flag, action="store_true")
    for option in ("--tmpfs", "--volume", "--publish", "--env"):
        run.add_argument(option, action="append", default=[])
    run.add_argument("--name", required=True)
    run.add_argument("--stop-timeout", type=int, required=True)
    run.add_argument("image")
    words.add_parser("logs").add_argument("name")
    execute = words.add_parser("exec")
    execute.add_argument("name")
    execute.add_argument("command", nargs=REMAINDER)
    copy = words.add_parser("cp")
    copy.add_argument("source")
    copy.add_argument("target")
    steps = words.add_parser("compose").add_subparsers(dest="step", required=True)
    up = steps.add_parser("up")
    for flag in ("--detach", "--build"):
        up.add_argument(flag, action="store_true")
    steps.add_parser("logs").add_argument("service", choices=compose.FILE["services"])
    within = steps.add_parser("exec")
    within.add_argument("service", choices=compose.FILE["services"])
    within.add_argument("command", nargs=REMAINDER)
    return parser


def parsed(command: str) -> Namespace:
    name, *words = shlex.split(command)
    assert name == "docker"
    return _parser().parse_args(words)


class Engine:
    """One container of one image, at most. Paths of the host are those of a folder."""

    def __init__(self, container: Container, folder: Path) -> None:
        self._container = container
        self._image = container.image
        self._folder = folder
        self._tags: set[str] = set()
        self._environment: list[str] = []
        self.name = ""
        self.stop_timeout = 0

    def do(self, command: str) -> str:
        """What is printed."""
        asked = parsed(command)
        printed: str = getattr(self, f"_{asked.word}")(asked)
        return printed

    def _build(self, asked: Namespace) -> str:
        assert (ROOT / asked.context / "Dockerfile").is_file()
        self._tags.add(asked.tag)
        return ""

    def _run(self, asked: Namespace) -> str:
        assert asked.image in self._tags
        assert asked.read_only
        self.name, self.stop_timeout, self._environment = asked.name, asked.stop_timeout, asked.env
        volumes = [volume.split(":") for volume in asked.volume]
        for source, target, *mode in volumes:
            if source.startswith("./"):
                assert mode == ["ro"]
                self._put(self._folder / source, target)
        assert sorted([*asked.tmpfs, *(target for _, target, *mode in volumes if not mode)]) == sorted(WRITABLE)
        for published in asked.publish:
            assert published.rpartition(":")[2] == self._image.settings["EXPOSE"]
        self._container.start(self._image.command, dict(pair.split("=", 1) for pair in asked.env))
        return ""

    def _put(self, source: Path, target: str) -> None:
        place = self._image.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)

    def _logs(self, asked: Namespace) -> str:
        assert asked.name == self.name
        return self._container.output.read_text()

    def _cp(self, asked: Namespace) -> str:
        name, _, path = asked.source.partition(":")
        assert name == self.name
        shutil.copy(self._image.root / path.lstrip("/"), self._folder / asked.target)
        return ""

    def _exec(self, asked: Namespace) -> str:
        assert asked.name == self.name
        return self._image.run(["env", *self._environment, *asked.command]).stdout
