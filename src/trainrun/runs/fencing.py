"""Fences: what must hold before a file in a directory is written.

A process with a lease may lose it while it trains. The fence of the run's directory notices that in time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

_fences: dict[str, Callable[[], None]] = {}  # by absolute directory


def put_fence(directory: Path, check: Callable[[], None]) -> None:
    """Have `check` called before each write into a directory; it raises where none may follow."""
    _fences[os.path.abspath(directory)] = check  # noqa: PTH100 - as text: it is looked up at each write


def remove_fence(directory: Path) -> None:
    """Let everyone write into a directory again."""
    _fences.pop(os.path.abspath(directory), None)  # noqa: PTH100


def pass_fences(directories: Iterable[Path]) -> None:
    """Check that this process may write into directories; costs nothing where there is no fence.

    Raises:
        TrainrunError: of a fence.
    """
    if not _fences:
        return
    for directory in dict.fromkeys(os.path.abspath(one) for one in directories):  # noqa: PTH100
        if check := _fences.get(directory):
            check()


os.register_at_fork(after_in_child=_fences.clear)
