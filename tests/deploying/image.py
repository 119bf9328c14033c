"""The image that the Dockerfile describes, as a folder, made and run without a container engine.

Each COPY, RUN, ENV, WORKDIR and USER line is carried out; commands run in the folder as their root, with the machine's
/usr and Python standing in for the base image. Only what is downloaded is not: the packages that the lock file names
are copied from the environment of the tests, each in exactly the version that is named.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.deploying import checkout, roots
from tests.live import ROOT

# The folders of the machine that stand in for what the base image brings.
_BASE_FOLDERS = ("/usr", "/dev", "/proc")
_IN_ROOT = """
set -eu
for folder in {folders}; do mkdir -p {base}$folder; mount --rbind $folder {base}$folder; done
mount --bind {python} {base}/usr/local
{seal}
exec /usr/sbin/chroot --userspec={user} {root} /bin/sh -c 'cd "$0" && exec "$@"' {folder} {command}
"""
_READ_ONLY = """
mount --bind {root} {root}.ro; mount -o remount,bind,ro {root}.ro
for folder in {folders} /usr/local; do mount --rbind {root}$folder {root}.ro$folder; done
for folder in {writable}; do mount --bind {root}$folder {root}.ro$folder; done
"""


def instructions(path: Path = ROOT / "Dockerfile") -> list[tuple[str, str]]:
    """Each instruction with the rest of its line, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def context() -> list[str]:
    """The files of the checkout that git knows and .dockerignore lets through."""
    return [name for name in checkout.known() if not ignored(name)]


def ignored(name: str) -> bool:
    """https://docs.docker.com/build/concepts/context/#dockerignore-files: the last line that fits decides."""
    found = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and _fits(name, pattern.removeprefix("!")):
            found = not pattern.startswith("!")
    return found


def _fits(name: str, pattern: str) -> bool:
    """A pattern stands for a file or folder at the top, with all that is in it; after `**/` for one anywhere."""
    steps = name.split("/")
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(step, pattern.removeprefix("**/")) for step in steps)
    assert "/" not in pattern, f"{pattern}: write it so that this can read it"
    return fnmatch.fnmatchcase(steps[0], pattern)


class Image:
    """What building gave in the end: its root, and how it is to be run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages: dict[str, Path] = {}
        self.build()

    def build(self) -> None:
        for word, rest in instructions():
            getattr(self, f"_{word.lower()}")(rest)

    def run(self, command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        argv = self.argv(command)
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done

    def argv(self, command: Sequence[str], *, writable: Sequence[str] = ()) -> list[str]:
        """How to run a command in the image. With `writable`, the rest of it is read-only."""
        folders, root = " ".join(_BASE_FOLDERS), str(self.root)
        seal = ""
        if writable:
            seal = _READ_ONLY.format(root=root, folders=folders, writable=" ".join(writable))
            root += ".ro"
            Path(root).mkdir(exist_ok=True)
        script = _IN_ROOT.format(
            base=self.root,
            folders=folders,
            python=sys.base_prefix,
            seal=seal,
            user=self.user,
            root=root,
            folder=self.workdir,
            command=shlex.join(command),
        )
        return ["unshare", "--mount", "sh", "-c", script]

    # What each instruction does.

    def _from(self, rest: str) -> None:
        image, _, name = rest.partition(" AS ")
        self.root = roots.make(self._folder / (name or "image"))
        self._stages[name] = self.root
        self.base = image
        self.user, self.workdir = "0:0", "/"
        # The base image's Python knows where its library is; the one that stands in for it was made for another place.
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LD_LIBRARY_PATH": "/usr/local/lib"}
        self.command: list[str] = []
        self.healthcheck: list[str] = []
        self.settings: dict[str, str] = {}

    def _workdir(self, rest: str) -> None:
        self.workdir = rest
        self._inside(rest).mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        *options, source, target = shlex.split(rest)
        place = self._inside(target)
        if options:
            stage = self._stages[options[0].removeprefix("--from=")]
            place.parent.mkdir(parents=True, exist_ok=True)
            (stage / source.lstrip("/")).rename(place)  # no other stage wants it
            return
        names = [name for name in context() if source in (".", name)]
        assert names, f".dockerignore keeps {source} out"
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)

    def _run(self, rest: str) -> None:
        if "/pip install " in rest:
            assert "--require-hashes -r requirements.lock" in rest
            self._install(self._inside("requirements.lock"), self._inside(rest.partition("/bin/pip")[0]))
        else:
            self.run(["/bin/sh", "-c", rest])

    def _env(self, rest: str) -> None:
        self.environment |= dict(item.split("=", 1) for item in shlex.split(rest))

    def _user(self, rest: str) -> None:
        self.user = rest

    def _healthcheck(self, rest: str) -> None:
        self.healthcheck = json.loads(rest.partition("CMD ")[2])

    def _cmd(self, rest: str) -> None:
        self.command = json.loads(rest)

    def _note(self, name: str, rest: str) -> None:
        self.settings[name] = rest

    def _volume(self, rest: str) -> None:
        self._note("VOLUME", rest)

    def _expose(self, rest: str) -> None:
        self._note("EXPOSE", rest)

    def _stopsignal(self, rest: str) -> None:
        self._note("STOPSIGNAL", rest)

    def _inside(self, path: str) -> Path:
        return self.root / Path(self.workdir, path).relative_to("/")

    def _install(self, lock: Path, environment: Path) -> None:
        (site_packages,) = environment.glob("lib/python*/site-packages")
        for requirement in locked(lock):
            distribution = metadata.distribution(requirement.name)
            assert distribution.version in requirement.specifier, f"{requirement} is locked, not {distribution.version}"
            for file in distribution.files or []:
                source, target = Path(str(distribution.locate_file(file))), site_packages / file
                if ".." not in file.parts and source.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    """As good as a copy where nobody writes to it, and much quicker."""
    try:
        Path(target).hardlink_to(source)
    except OSError:  # on another disk
        shutil.copy2(source, target)


def locked(lock: Path) -> Iterator[Requirement]:
    """The packages that are installed on this machine."""
    for line in re.findall(r"^\w.*?==[^\\\n]+", lock.read_text(), flags=re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement
