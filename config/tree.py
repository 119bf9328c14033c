"""YAML text as plain values, with the line of each, and without YAML's sharp edges.

`yaml.safe_load` lets the last of two equal keys win, expands nested aliases without limit and
forgets where a value stood. This reads the same language and minds all three.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.problems import Problem, Steps, dotted, is_secret

MAX_VALUES = 20_000

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null")}
# No database column takes these.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Tree:
    """`value` holds what could be read; `problems` says what could not, and why."""

    value: object
    lines: Mapping[Steps, int]
    problems: tuple[Problem, ...]

    def line(self, steps: Steps) -> int | None:
        """Where it stands; for something that is missing, where its parent does."""
        while steps not in self.lines and steps:
            steps = steps[:-1]
        return self.lines.get(steps)


def parse(text: str) -> Tree:
    builder = _Builder()
    try:
        # The loader in Python rather than the one in C, which can be driven to crash the process.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        value = builder.build(root, ()) if root else None
    except yaml.YAMLError as error:
        return _unreadable(_syntax_problem(error, text))
    except RecursionError:
        return _unreadable(Problem(None, "", "is nested too deeply: no setting needs that"))
    except _TooLargeError:
        return _unreadable(Problem(None, "", f"holds more than {MAX_VALUES} values, aliases expanded: shorten it"))
    return Tree(value, builder.lines, tuple(builder.problems))


class _TooLargeError(Exception):
    pass


class _UnusableError(Exception):
    """A value that is left out; the message says why."""


class _Builder:
    def __init__(self) -> None:
        self.lines: dict[Steps, int] = {}
        self.problems: list[Problem] = []
        self._built = 0

    def build(self, node: Node, steps: Steps) -> object:
        # Counted as built, not as written: a few nested aliases can stand for billions of values.
        self._built += 1
        if self._built > MAX_VALUES:
            raise _TooLargeError
        self.lines.setdefault(steps, _line(node))
        match node:
            case MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, steps)
            case SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self.build(item, (*steps, index)) for index, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except _UnusableError as error:
            self._complain(node, steps, str(error))
            return None

    def _mapping(self, node: MappingNode, steps: Steps) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            try:
                key = _key(key_node)
            except _UnusableError as error:
                self._complain(key_node, steps, str(error))
                continue
            place = (*steps, key)
            if place in self.lines and key in values:
                self._complain(key_node, place, f"stands on line {self.lines[place]} already: remove one of the two")
                continue
            self.lines.setdefault(place, _line(key_node))
            values[key] = self.build(value_node, place)
        return values

    def _complain(self, node: Node, steps: Steps, message: str) -> None:
        self.problems.append(Problem(_line(node), dotted(steps), message))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _key(node: Node) -> str:
    if node.tag == _TAG + "merge":
        raise _UnusableError("merge keys (<<) are not supported: write the fields out")
    if node.tag != _TAG + "str" or not isinstance(node, ScalarNode):
        raise _UnusableError("the name of a field must be text: put it in quotes")
    return _storable(node.value)


def _scalar(node: Node) -> object:
    if node.tag == _TAG + "timestamp" and isinstance(node, ScalarNode):
        return str(node.value)  # no setting is a date, but a model's name can look like one
    if node.tag not in _PLAIN_TAGS or not isinstance(node, ScalarNode):
        raise _UnusableError(f"is of a kind ({node.tag}) that is not supported: remove the tag or put it in quotes")
    try:
        value = SafeConstructor().construct_object(node)
    except (ValueError, LookupError):  # "!!int twelve", a number of thousands of digits
        raise _UnusableError(f"cannot be read as {node.tag.removeprefix(_TAG)}: correct it") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _UnusableError("must be a finite number")
    return _storable(value) if isinstance(value, str) else value


def _storable(text: str) -> str:
    if _UNSTORABLE.search(text):
        raise _UnusableError("holds a control character: remove it")
    return text


def _unreadable(problem: Problem) -> Tree:
    return Tree(None, {}, (problem,))


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem(line, "", "holds a character that YAML does not allow: remove it")
    if not isinstance(error, yaml.MarkedYAMLError) or not (mark := error.problem_mark or error.context_mark):
        return Problem(None, "", "is not valid YAML: correct it")
    line = int(mark.line) + 1
    # The reason can quote the text, and on such a line the text can be a key.
    quoted = text.splitlines()[mark.line : mark.line + 1]
    reason = "" if any(map(is_secret, quoted)) else f" ({error.problem})"
    return Problem(line, "", f"is not valid YAML{reason}: check indentation, colons and quotes")
