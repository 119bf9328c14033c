"""Names of `typing` that Python 3.10 and 3.11 do not have yet."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from typing import NotRequired, Self, Unpack
else:
    from typing_extensions import NotRequired, Self, Unpack

__all__ = ["NotRequired", "Self", "Unpack"]
