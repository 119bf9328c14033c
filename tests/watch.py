"""Everything that comes out of Oxide, in whichever test, is searched for secrets.

`tests/taps.py` brings what comes out; `tests/conftest.py` fails the test in which a secret did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import canary
from tests.finder import Finder

LONGEST = 64  # what is kept of one piece of a stream, or of a file, to be searched together with the next

# The first two parts of a token are the same in others, or tell only whose it is.
_TOKEN = ("token", re.compile(rb"eyJ[\w-]+\.eyJ[\w-]+\.([\w-]{43})"))
_CLIENT_KEY = ("key for programs", re.compile(rb"ox-[A-Za-z0-9]{8}_([A-Za-z0-9]{40})"))
_FIRST_PASSWORD = ("first password", re.compile(rb"Made the user admin with the password (\S+)"))

# Where a secret is handed out, to the one who asked for it: of which kind, and how to find it there.
HANDED_OUT = {
    "POST /auth/login 200": _TOKEN,
    "POST /auth/refresh 200": _TOKEN,
    "POST /api/api-keys/clients/ 201": _CLIENT_KEY,
    "POST /admin/apikeys/clientkey/add/ 200": _CLIENT_KEY,
    "output.log": _FIRST_PASSWORD,
}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=/)\d+(?=/)")


class Watch:
    def __init__(self) -> None:
        self._finder = Finder()
        self._leaks: dict[str, None] = {}
        self._ends: dict[Path, int] = {}
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._records: list[list[tuple[str, bytes]]] = []

    def learn(self, kind: str, secret: str, *, shown: str = "") -> str:
        return self._finder.learn(kind, secret, shown=shown)

    def forget(self) -> None:
        """What was learned, not what was planted."""
        self._finder.forget()

    def note(self, place: str, content: bytes | str) -> None:
        """Something came out. It is searched at once; only what was found in it is kept."""
        said = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        handed_out = self._learn_from(place, said)
        for record in self._records:
            record.append((place, said))
        for kind in self.kinds_in(said) - {handed_out}:
            self._leaks[f"{kind} in {self._fit_to_show(place)}"] = None

    def noting(self, place: str, chunks: Iterable[Any]) -> Iterator[Any]:
        """A stream of bytes or texts, noted as it is read."""
        before = b""
        for chunk in chunks:
            before = before[-LONGEST:] + (chunk if isinstance(chunk, bytes) else chunk.encode())
            self.note(place, before)
            yield chunk

    def kinds_in(self, content: bytes) -> set[str]:
        return canary.kinds_in(content) | self._finder.kinds_in(content)

    def take(self) -> list[str]:
        """The leaks since the last time: which kind of secret came out where."""
        leaks, self._leaks = self._leaks, {}
        return list(leaks)

    # Files

    def follow(self, path: Path) -> None:
        """Note what is added to a file, at each `read_on`."""
        self._ends.setdefault(path, 0)

    def read_on(self) -> None:
        for path, end in tuple(self._ends.items()):
            with suppress(FileNotFoundError), path.open("rb") as file:
                file.seek(max(0, end - LONGEST))
                self.note(path.name, file.read())
                self._ends[path] = file.tell()

    def note_folder(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            self.note_file(path)

    def note_file(self, path: Path) -> None:
        """Once in each state. Those of a database in use come and go."""
        with suppress(FileNotFoundError, IsADirectoryError):
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if self._stamps.get(path) != stamp:
                self._stamps[path] = stamp
                self.note(path.name, path.read_bytes())

    # The whole of it

    @contextmanager
    def recording(self) -> Iterator[list[tuple[str, bytes]]]:
        """Everything that is noted, by the place where it came out."""
        record: list[tuple[str, bytes]] = []
        self._records.append(record)
        try:
            yield record
        finally:
            self._records.remove(record)

    def _learn_from(self, place: str, content: bytes) -> str:
        """The kind of secret that may stand there. What does from now on may stand nowhere else."""
        kind, pattern = HANDED_OUT.get(place, ("", None))
        for hidden in pattern.findall(content) if pattern else ():
            self.learn(kind, hidden.decode())
        return kind

    def _fit_to_show(self, place: str) -> str:
        return "an address that holds it" if self.kinds_in(place.encode()) else place


def place_of(method: str | None, url: str, status: int) -> str:
    """How an answer is named: alike for all that have an id in their address."""
    return f"{method} {_ID.sub('*', urlsplit(url).path)} {status}"


watch = Watch()
