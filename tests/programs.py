"""Programs beside Python that some tests need."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str, *places: str) -> str:
    """The path of a program that a test needs. Without it the test is skipped; in CI it fails."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))
    if found:
        return found
    reason = f"{name} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and under CI=true it must be")
    pytest.skip(reason)
