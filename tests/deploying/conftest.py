from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploying import roots
from tests.deploying.container import Container
from tests.deploying.image import Image


@pytest.fixture(scope="package")
def image() -> Iterator[Image]:
    roots.needed()
    folder = Path(tempfile.mkdtemp(prefix="oxide-image-"))
    folder.chmod(0o755)  # for the image's user
    try:
        yield Image(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Iterator[Container]:
    made = Container(image, tmp_path / "output.log")
    try:
        yield made
    finally:
        made.kill()
        for file in (image.root / "data").iterdir():
            file.unlink()
