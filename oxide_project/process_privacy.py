"""What other processes of the same user may see of this one."""

from __future__ import annotations

import ctypes
import logging
import os
import sys

logger = logging.getLogger(__name__)

# https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html
_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """On Linux: no program that Oxide starts reads its environment or memory in /proc, and a crash leaves no core.

    The kernel lifts this for root and whoever has CAP_SYS_PTRACE.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        logger.warning("Programs of the same user can read this process: %s.", os.strerror(ctypes.get_errno()))
