"""Leash: a process that ends with another one, however that one ends.

This file is run by its path, in an interpreter of its own, and imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tied(command: Sequence[str]) -> list[str]:
    """Return a command that gets TERM when the process that starts it has died.

    Args:
        command: its words.
    """
    return [sys.executable, "-I", __file__, "tie", str(os.getpid()), *command]


def guard(group: int, folder: Path) -> list[str]:
    """Return a command that waits for the end of its standard input, then ends a group of processes.

    Args:
        group: the number of the group.
        folder: removed afterwards.
    """
    return [sys.executable, "-I", __file__, "guard", str(group), str(folder)]


def _tie(parent: int, command: Sequence[str]) -> None:
    with suppress(OSError, AttributeError):  # only Linux has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it has died before
        sys.exit(75)
    os.execv(command[0], list(command))


def _guard(group: int, folder: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    kind, number, *words = sys.argv[1:]
    if kind == "tie":
        _tie(int(number), words)
    else:
        _guard(int(number), Path(words[0]))
