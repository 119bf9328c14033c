from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploying.image import Image, needed


@pytest.fixture(scope="package")
def image() -> Iterator[Image]:
    needed()
    folder = Path(tempfile.mkdtemp(prefix="oxide-image-"))
    folder.chmod(0o755)  # for the image's user
    try:
        yield Image(folder)
    finally:
        shutil.rmtree(folder)
