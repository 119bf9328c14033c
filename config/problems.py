"""What is wrong with a configuration file, in words for the one who has to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

# The steps from the top of the file to a value: names of fields and numbers of list items.
Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1 and is None where the file as a whole is meant; `field` may be empty."""

    line: int | None
    field: str
    message: str


class ConfigInvalidError(Exception):
    """A configuration file that cannot be used. As text: every problem on a line of its own."""

    def __init__(self, path: Path, problems: tuple[Problem, ...]) -> None:
        super().__init__(path, problems)
        self.path = path
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self._line(problem) for problem in self.problems)

    def _line(self, problem: Problem) -> str:
        here = Path.cwd()
        path = self.path.relative_to(here) if self.path.is_relative_to(here) else self.path
        place = f"{path}, line {problem.line}" if problem.line else str(path)
        return f"{place}, {problem.field}: {problem.message}" if problem.field else f"{place}: {problem.message}"


def dotted(steps: Steps) -> str:
    """`("routing", "rules", 0, "id")` as an operator reads it: `routing.rules[0].id`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def is_secret(name: str) -> bool:
    return bool(re.search(r"key|secret|token|password", name, re.IGNORECASE))


def worded(error: ValidationError) -> Iterator[tuple[Steps, str]]:
    """Each thing that a declaration was refused for: where it stands and what is wrong with it."""
    for details in error.errors(include_url=False):
        # Pydantic marks an error in a mapping's key, rather than in its value, by this last step.
        steps = tuple(step for step in details["loc"] if step != "[key]")
        yield steps, _message(details) + _shown(steps, details)


_MESSAGES = {
    "missing": "is missing: add it",
    "extra_forbidden": "is not a known field: correct its spelling or remove it",
    "string_type": "must be text: put it in quotes",
    "string_too_long": "must be at most {max_length} characters long",
    "string_too_short": "must not be empty",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "is_instance_of": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must hold fields with values",
    "model_type": "must hold fields with values",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "decimal_max_digits": "must be less than a million, with at most 6 digits after the point",
    "decimal_whole_digits": "must be less than a million, with at most 6 digits after the point",
    "decimal_max_places": "must have at most 6 digits after the point",
}
_SHOWING_TEXT = {"bool_type", "int_type", "float_type", "is_instance_of", "enum"}


def _message(details: ErrorDetails) -> str:
    template = _MESSAGES.get(details["type"])
    return template.format(**details.get("ctx", {})) if template else details["msg"]


def _shown(steps: Steps, details: ErrorDetails) -> str:
    """The value, where it helps and cannot give a secret away.

    Text is shown only where a number or a word from a list was expected: in other places (a URL,
    a command in one string) it may well hold a key under a name that does not say so. And only
    where it is no longer than such words are: a key may have slipped in there, too.
    """
    value = details["input"]
    if details["type"] in ("missing", "wrong", "extra_forbidden") or any(is_secret(str(step)) for step in steps):
        return ""
    if isinstance(value, int | float) or (isinstance(value, str) and details["type"] in _SHOWING_TEXT):
        text = repr(value)
        return f" (got {text})" if len(text) <= 20 else ""
    return ""
