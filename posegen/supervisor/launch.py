"""The first thing that a child of ours does: it makes itself end with us, and only then becomes its program.

Run as `python -m posegen.supervisor.launch PARENT PROGRAM ARGUMENT...`. A step of its own, because code between fork
and exec is not safe in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT_IS_GONE = 3


def main(arguments: list[str]) -> None:
    """Become the program `arguments[1:]`, which gets SIGTERM when the process `arguments[0]` dies."""
    parent, *command = arguments
    restore_signals()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have died before we asked to be told.
    if os.getppid() != int(parent):
        sys.exit(PARENT_IS_GONE)
    os.execvp(command[0], command)


def restore_signals() -> None:
    """Every signal back to its default, and none held back.

    A shell's `&` leaves SIGINT ignored, and Dagster's processes that inherit this do not end on SIGTERM either.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


if __name__ == "__main__":
    main(sys.argv[1:])
