"""A worker must not outlive the service that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent_pid: int) -> None:
    """On Linux, have the kernel kill this process when the thread that started it ends (prctl(2)).

    Elsewhere nothing is done here: the worker ends when it reads the end of its stdin, which every system closes with
    the parent. That holds on Linux too, but needs the interpreter to be free to notice.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        # It died before the request was made, so no signal will come.
        os._exit(1)
