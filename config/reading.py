"""From a configuration file to a checked declaration, or to everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from config.problems import ConfigInvalidError, Problem, dotted, worded
from config.schema import Declaration
from config.tree import Tree, parse

MAX_BYTES = 256 * 1024


def read(path: Path) -> Declaration:
    """Read and check the file. Raises `ConfigInvalidError` with all of its problems."""
    tree = parse(_text(path))
    if tree.problems and tree.value is None:
        raise ConfigInvalidError(path, tree.problems)
    if not isinstance(tree.value, dict):
        raise ConfigInvalidError(path, (_no_mapping(tree),))
    try:
        declaration = Declaration.checked(tree.value)
    except ValidationError as error:
        raise ConfigInvalidError(path, _sorted(tree, error)) from None
    if tree.problems:
        raise ConfigInvalidError(path, tree.problems)
    return declaration


def _text(path: Path) -> str:
    def refuse(message: str) -> ConfigInvalidError:
        return ConfigInvalidError(path, (Problem(None, "", message),))

    try:
        if path.is_dir():
            raise refuse("is a folder: name the file in it")
        if path.exists() and not path.is_file():
            raise refuse("is not a regular file: name a YAML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise refuse("does not exist: create it or name another file (--config, OXIDE_CONFIG)") from None
    except OSError as error:
        raise refuse(f"cannot be read ({error.strerror}): check its permissions") from None
    if len(content) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES // 1024} kB: no configuration needs that much")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigInvalidError(path, (Problem(line, "", "is not UTF-8 text: save it as UTF-8"),)) from None


def _no_mapping(tree: Tree) -> Problem:
    if tree.value is None:
        return Problem(None, "", "is empty: declare at least 'services:' in it")
    return Problem(tree.line(()), "", "must hold fields with values at its top, such as 'services:'")


def _sorted(tree: Tree, error: ValidationError) -> tuple[Problem, ...]:
    # A value that could not even be read is out of the tree, and would be reported missing again.
    told = {problem.field for problem in tree.problems}
    found = (Problem(tree.line(steps), dotted(steps), message) for steps, message in worded(error))
    problems = [*tree.problems, *(problem for problem in found if problem.field not in told)]
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))
