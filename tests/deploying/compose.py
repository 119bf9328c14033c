"""compose.yaml as Compose reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.live import ROOT

FILE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>[^}]*))?\}")


def interpolated(values: Mapping[str, str]) -> dict[str, Any]:
    """The file with these in its environment."""
    found: dict[str, Any] = _filled(FILE, values)
    return found


def variables() -> set[str]:
    return {match["name"] for match in _VARIABLE.finditer(str(FILE))}


def _filled(node: Any, values: Mapping[str, str]) -> Any:
    """Each text with ${NAME}, ${NAME:-default} and ${NAME:?message} replaced, as Compose does it after reading YAML.

    https://docs.docker.com/reference/compose-file/interpolation/
    """

    def value(match: re.Match[str]) -> str:
        found = values.get(match["name"], "")
        if not found and match["kind"] == ":?":
            raise ValueError(match["rest"])
        return found or match["rest"] or ""

    if isinstance(node, dict):
        return {key: _filled(item, values) for key, item in node.items()}
    if isinstance(node, list):
        return [_filled(item, values) for item in node]
    return _VARIABLE.sub(value, node) if isinstance(node, str) else node
