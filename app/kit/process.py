"""Processes that must not outlive the one that started them."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process `number` when the process `parent`, which started it, ends.

    For use right after a fork; a parent that has already gone counts as ended. The kernel watches the
    thread that forked, so start such children from a thread that lives as long as they should.
    Elsewhere than on Linux this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)
