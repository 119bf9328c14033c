from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("oxide-client")
except PackageNotFoundError:  # it is run from a checkout, where pyproject.toml has it
    __version__ = "0+checkout"
