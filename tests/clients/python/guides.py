"""Python as readers type it, in an interactive interpreter."""

from __future__ import annotations

import ast
import asyncio
import inspect
from typing import Any


def run_python(block: str, **given: Any) -> dict[str, Any]:
    """`await` may stand alone. Returns all names; those that are `given` are there before."""
    names: dict[str, Any] = {"__name__": "guide", **given}
    code = compile(block, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    ended = eval(code, names)  # noqa: S307 - our own
    if inspect.iscoroutine(ended):
        asyncio.run(_waited_for(ended))
    return names


async def _waited_for(ended: Any) -> None:
    await ended
