"""Somebody who reads a page from beginning to end and does all that it says, beside an Oxide of their own.

bash: is run, in one terminal for the whole page. Each curl must be answered with a status below 400, or where an error
    is shown next, the last one with one above.
json: is compared with what the command before it printed, or with the answer to the call that a comment before it
    names, `<!-- answers: GET /api/services/ -->`. `<!-- sent over /ws -->` marks messages that are sent,
    `<!-- heard over /ws -->` such as come then.
http: its headers are compared with those of the last answer.
text: its lines are looked for in what the command before it printed, in their order.
python: is run by an interpreter of its own.
javascript: is run by Node. What does not end by itself is ended once it has printed something.
yaml: is laid over the configuration file, which is then read again.

A page calls this Oxide `localhost:8000`, its configuration file `config/default.yaml`, the password of `admin`
`$PASSWORD` and a key of a provider `$KEY`.

How much a page may leave out of what it shows, and how, says `likeness.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml
from websockets.sync.client import connect

from tests import canary
from tests.docs.likeness import differences, pattern_of
from tests.docs.listening import Listener, last_id
from tests.docs.model import play
from tests.docs.terminal import Terminal, Told
from tests.documents import Block
from tests.fake_provider import FakeProvider
from tests.live import LiveOxide
from tests.typescript import Workspace

# What a page calls a reader's Oxide and its configuration file.
ADDRESS = "localhost:8000"
FILE = "config/default.yaml"


class Reader:
    """Used in a `with`, at whose end its connections are closed."""

    def __init__(self, folder: Path, oxide: LiveOxide, provider: FakeProvider, workspace: Workspace | None) -> None:
        self._oxide = oxide
        self._provider = provider
        self._workspace = workspace
        own = {"OXIDE_URL": oxide.url, "PASSWORD": oxide.admin_password, "KEY": canary.provider_key("a reader's")}
        environment = {**oxide.surroundings(), **own}
        self._terminal = Terminal(folder, environment)
        self._told: Told | None = None
        """Of the command before, as long as nothing else comes between."""
        self._task_id = ""
        self._listener: Listener | None = None
        self._connections = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()

    def read(self, block: Block, following: Block | None) -> None:
        LANGUAGES[block.language](self, block)
        if block.language == "bash":
            self._check_statuses(following)

    def bash(self, block: Block) -> None:
        play(self._provider, block.code)
        self._told = self._terminal.run(self._here(block.code))
        self._task_id = last_id(self._told.output) or self._task_id

    def python(self, block: Block) -> None:
        self._told = self._terminal.run_python(self._here(block.code))

    def javascript(self, block: Block) -> None:
        assert self._workspace
        self._told = Told(self._workspace.glance(self._here(block.code)))
        assert self._told.output, "It printed nothing."

    def json(self, block: Block) -> None:
        if block.mark == "sent over /ws":
            self._listening().send(block.code, self._task_id)
            return
        if block.mark == "heard over /ws":
            self._listening().hear(block.code)
            return
        answer = self._answer(block)
        found = list(differences(json.loads(block.code), answer))
        assert not found, "\n".join([*found, json.dumps(answer)])

    def http(self, block: Block) -> None:
        told = self._told or self._terminal.run(f"curl {self._oxide.url}/api/services/")
        lines = told.headers.splitlines()
        for line in block.code.splitlines():
            assert any(pattern_of(line.lower()).fullmatch(each.lower().strip()) for each in lines), f"{line}\n{lines}"

    def text(self, block: Block) -> None:
        assert self._told, "There is no command before it."
        printed = iter(self._told.output.splitlines())
        for line in filter(None, block.code.splitlines()):
            wanted = pattern_of(line)
            assert any(wanted.fullmatch(each) for each in printed), f"{line}\n\nis not in\n{self._told.output}"

    def yaml(self, block: Block) -> None:
        _lay(yaml.safe_load(block.code), self._oxide.config)
        for name, service in self._oxide.config["services"].items():
            if service.get("type") == "http" and "127.0.0.1" not in service["base_url"]:
                service["base_url"] = self._provider.base_url(service["api"], service=name)
        self._oxide.write_config()
        told = self._oxide.post("/api/config/reload/")
        assert told.status_code == 200, told.text

    def _answer(self, block: Block) -> Any:
        if call := re.fullmatch(r"answers: (GET|POST) (\S+)(?: (.+))?", block.mark):
            given = {"json": json.loads(call[3])} if call[3] else {}
            return self._oxide.session.request(call[1], self._oxide.url + call[2], timeout=60, **given).json()
        assert self._told, "There is no command before it, nor a comment that says what answers so."
        told, self._told = self._told, None
        return json.loads(told.output.replace(self._file, FILE))

    def _listening(self) -> Listener:
        if self._listener is None:
            url = self._oxide.url.replace("http", "ws", 1) + "/ws"
            self._listener = Listener(self._connections.enter_context(connect(url)))
        return self._listener

    def _check_statuses(self, following: Block | None) -> None:
        assert self._told
        *earlier, last = self._told.statuses or (200,)
        is_error = following is not None and following.language == "json" and '"code":' in following.code
        assert all(status < 400 for status in earlier), self._told
        assert (last >= 400) is is_error, self._told

    def _here(self, code: str) -> str:
        return code.replace(ADDRESS, urlsplit(self._oxide.url).netloc).replace(FILE, self._file)

    @property
    def _file(self) -> str:
        return str(self._oxide.folder / "oxide.yaml")


def _lay(given: dict[str, Any], over: dict[str, Any]) -> None:
    """Objects into objects; everything else takes the place of what was there, but rules are added."""
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(over.get(key), dict):
            _lay(value, over[key])
        elif key == "rules":
            over[key] = [*over.get(key, []), *value]
        else:
            over[key] = value


LANGUAGES: Mapping[str, Callable[[Reader, Block], None]] = {
    "bash": Reader.bash,
    "http": Reader.http,
    "javascript": Reader.javascript,
    "json": Reader.json,
    "python": Reader.python,
    "text": Reader.text,
    "yaml": Reader.yaml,
}
