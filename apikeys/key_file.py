"""The keys in the configuration file: read them, and write one without touching anything else.

The text is changed at one place and every other byte stays, which no YAML library's own writing
grants: they lay lists, blanks and long lines out anew. What comes out is read again before it
replaces the file, and must differ from what was there by that one key.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

LOCK_SECONDS = 10.0

_LINE = re.compile("[^\r\n\x85\u2028\u2029]*(\r\n|[\r\n\x85\u2028\u2029])?")


class KeyFileError(Exception):
    """The file cannot be used. The text says what to do; `line` and `field` say where, as far as known."""

    def __init__(self, message: str, *, line: int | None = None, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.field = field


class NotInFileError(KeyFileError):
    """The file does not declare the service."""


class NotWritableError(KeyFileError):
    """The file is as it should be, but cannot be replaced."""


def read(path: Path) -> Mapping[str, str]:
    """The keys by service. A file that is not there holds none."""
    try:
        content = _content(_text(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KeyFileError(f"It cannot be read ({error.strerror}): check its permissions.") from None
    services = content.get("services") if isinstance(content, dict) else None
    entries = services.items() if isinstance(services, dict) else ()
    keys = {name: entry.get("api_key") for name, entry in entries if isinstance(entry, dict)}
    return {name: key.strip() for name, key in keys.items() if isinstance(key, str) and key.strip()}


def write(path: Path, service: str, secret: str) -> None:
    """Set `services.<service>.api_key`. The file is whole at every moment, and mode 0600 afterwards.

    `secret` is printable ASCII. Of several that write at once, threads or processes, each sees what
    the one before it wrote. Raises `KeyFileError`, and has changed nothing then.
    """
    path = path.resolve()
    try:
        with _locked(path):
            _replace(path, changed(_text(path.read_bytes()), service, secret).encode())
    except FileNotFoundError:
        raise KeyFileError("It does not exist: create it, or name another one (OXIDE_CONFIG).") from None
    except OSError as error:
        raise NotWritableError(
            f"It cannot be replaced ({error.strerror}): make it and its folder writable for Oxide; "
            "a file that is mounted alone cannot be."
        ) from None


def changed(text: str, service: str, secret: str) -> str:
    """The same YAML text with this key in it."""
    content = _content(text)
    before, after = _around(text, service)
    result = before + json.dumps(secret) + after  # a JSON string of ASCII is a YAML one
    try:
        same = yaml.safe_load(result) == _with_key(content, service, secret)
    except (yaml.YAMLError, RecursionError):
        same = False
    if not same:
        raise KeyFileError(
            "It is written in a way that cannot be changed safely here (an alias, perhaps): write the key by hand.",
            field=f"services.{service}",
        )
    return result


def _with_key(content: Any, service: str, secret: str) -> Any:
    services = content["services"]
    return {**content, "services": {**services, service: {**services[service], "api_key": secret}}}


# Finding the place


def _around(text: str, service: str) -> tuple[str, str]:
    """The text before the key and after it, an old key left out."""
    entry = _entry(text, service)
    fields = _fields(entry, f"services.{service}")
    if "api_key" in fields:
        return _around_old(text, fields["api_key"][1])
    # Next to what it belongs to. A service always has a type; each of these is on one line, as a rule.
    neighbour = next((name for name in ("api_key_env", "base_url", "type") if name in fields), None)
    if neighbour is None:
        raise KeyFileError("It has no type: add it.", field=f"services.{service}")
    name, value = fields[neighbour]
    if entry.flow_style:
        end = value.end_mark.index
        return text[:end] + ", api_key: ", text[end:]
    return _as_new_line(text, _end_of_line(text, value.end_mark.index), name.start_mark.column)


def _around_old(text: str, value: Node) -> tuple[str, str]:
    start, end = value.start_mark.index, value.end_mark.index
    old = text[start:end]
    blank = "" if text[start - 1].isspace() else " "  # "api_key:" alone has its empty value right there
    return text[:start] + blank, old[len(old.rstrip()) :] + text[end:]


def _as_new_line(text: str, position: int, indent: int) -> tuple[str, str]:
    before = text[:position]
    newline = "\r\n" if before.endswith("\r\n") else "\n"
    missing = "" if before.endswith(("\n", "\r", "\x85", "\u2028", "\u2029")) else newline
    return f"{before}{missing}{' ' * indent}api_key: ", newline + text[position:]


def _end_of_line(text: str, position: int) -> int:
    found = _LINE.match(text, position)
    return found.end() if found else position


def _entry(text: str, service: str) -> MappingNode:
    top = _fields(_mapping(yaml.compose(text, Loader=yaml.SafeLoader), ""), "")
    if "services" not in top:
        raise NotInFileError("It declares no services.")
    services = _fields(_mapping(top["services"][1], "services"), "services")
    if service not in services:
        raise NotInFileError(f"It does not declare the service {service}.")
    return _mapping(services[service][1], f"services.{service}")


def _mapping(node: Node | None, place: str) -> MappingNode:
    if isinstance(node, MappingNode):
        return node
    raise KeyFileError("It must hold fields with values there.", line=_line(node) if node else None, field=place)


def _fields(mapping: MappingNode, place: str) -> dict[str, tuple[Node, Node]]:
    """The nodes of each name and its value."""
    fields: dict[str, tuple[Node, Node]] = {}
    for name, value in mapping.value:
        if isinstance(name, ScalarNode) and name.value in fields:
            field = f"{place}.{name.value}".lstrip(".")
            raise KeyFileError("It stands there twice: remove one of the two.", line=_line(name), field=field)
        if isinstance(name, ScalarNode):
            fields[name.value] = (name, value)
    return fields


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise KeyFileError("It is not UTF-8 text: save it as UTF-8.", line=line) from None


def _content(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # The parser's own words could quote a line, and in this file a line can hold a key.
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise KeyFileError("It is not valid YAML: check indentation, colons and quotes.", line=line) from None


# Replacing the file


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Be the only one who writes. The lock stands beside the file, which is another file after each write."""
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        until = time.monotonic() + LOCK_SECONDS
        while not _taken(lock.fileno()):
            if time.monotonic() > until:
                raise NotWritableError("Another process has been writing it for too long. Try again.")
            time.sleep(0.01)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(path: Path, content: bytes) -> None:
    # Always of the same name: what a crash has left behind goes with the next write.
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    try:
        _write_aside(aside, content, path.stat())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _sync(path.parent)


def _write_aside(aside: Path, content: bytes, owner: os.stat_result) -> None:
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
        _give(descriptor, owner)
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _give(descriptor: int, owner: os.stat_result) -> None:
    """Keep the file whose it was: mode 0600 would otherwise lock its owner out."""
    try:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    except PermissionError:
        if os.fstat(descriptor).st_uid != owner.st_uid:
            raise


def _sync(folder: Path) -> None:
    """Have the new name on the disk, too: a rename alone can be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
