from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.problems import ConfigInvalidError
from config.reading import read
from config.schema import Declaration

Write = Callable[[str], Path]
Read = Callable[[str], Declaration]
Refuse = Callable[[str], list[str]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a configuration file into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str) -> Path:
        path = tmp_path / "oxide.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def declare(write: Write) -> Read:
    return lambda text: read(write(text))


@pytest.fixture
def refuse(write: Write) -> Refuse:
    """The lines that a file is refused with."""

    def refusal(text: str) -> list[str]:
        with pytest.raises(ConfigInvalidError) as caught:
            read(write(text))
        return str(caught.value).splitlines()

    return refusal
